"""The whole plan on the lab's case, without network."""

from immutable_base.model.plan import KernelAction, Verdict


def test_both_directions(world):
    plan = world.plan()
    found = {v.name: (v.verdict, v.kernel.chosen, v.kernel.action, v.kernel.source) for v in plan.variants}
    for v in plan.variants: print(v.name, v.reasons)
    assert found == {
        "base": (Verdict.BUILD, "6.12.105-1.x86_64", KernelAction.KEEP, "image"),
        "base-zfs": (Verdict.BUILD, "6.12.117-1.x86_64", KernelAction.UP, "repository"),
        "base-zfs-nvidia": (Verdict.BUILD, "6.12.94-1.x86_64", KernelAction.DOWN, "repository"),
        "fedora-base": (Verdict.BUILD, "6.12.105-1.x86_64", KernelAction.KEEP, "image"),
    }
