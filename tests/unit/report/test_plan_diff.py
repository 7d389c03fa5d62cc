"""What a plan changes, in words."""

from immutable_base.model.checksum import Checksum
from immutable_base.model.plan import Plan, Verdict
from immutable_base.model.plan_diff import SignerCertificate, SignerChange
from immutable_base.plan.diff import diff_plans
from immutable_base.report.plan_diff import plan_diff_text, signer_line
from immutable_base.solver.order import EvrOrder
from support.plans import K1, K2, layer, module, package, variant
from support.sound_image import SIGNER


def words(before, after):
    plans = [Plan(repositories=(), keys=(), variants=variants) for variants in (before, after)]
    return plan_diff_text(diff_plans(*plans, EvrOrder()), "old.json").splitlines()


def test_every_kind_of_change_in_words():
    rebuilt = package("jq").model_copy(update={"checksum": Checksum.of("sha256", "f" * 64)})
    new = module(K2, version="2.3.10")
    before = [
        variant("base", K1, layer("base", package("jq"), package("tree", "2"), package("nano"))),
        variant("base-zfs", K1, modules=[module(K1)]),
        variant("quiet", K1),
        variant("old", K1),
    ]
    held = variant("first", None, verdict=Verdict.HOLD)
    after = [
        held.model_copy(update={"reasons": ("held: no kernel fits",)}),
        variant("base", K1, layer("base", rebuilt, package("tree", "1"), package("htop"))),
        variant("base-zfs", K2, modules=[new]),
        variant("quiet", K1),
    ]
    assert words(before, after) == [
        "Compared with old.json:",
        "first: new, hold",
        "  held: no kernel fits",
        "base: build, as before",
        "  packages: 1 down, 1 new, 1 gone, 1 rebuilt",
        "    tree.x86_64 down: 2-1.el10 → 1-1.el10",
        "    htop.x86_64 new: 1-1.el10",
        "    nano.x86_64 gone: 1-1.el10",
        "    jq.x86_64 rebuilt: 1-1.el10 is another file",
        "base-zfs: build, as before",
        f"  kernel up: {K1} → {K2}",
        "  module zfs up: 2.3.9-1 → 2.3.10-1",
        "  builders' packages: 3 up",
        f"    kernel-devel.x86_64 up: {K1}-1.el10 → {K2}-1.el10",
        f"    kernel-devel-matched.x86_64 up: {K1}-1.el10 → {K2}-1.el10",
        "    zfs-dkms.x86_64 up: 2.3.9-1 → 2.3.10-1",
        "quiet: build, nothing changes",
        "old: gone, was build",
    ]


def test_a_verdict_that_changes_says_why_and_a_base_that_changes_which():
    base = variant("x", K1).base
    moved = {"base": base.model_copy(update={"digest": "sha256:" + "b" * 64})}
    failed = {
        "base": base.model_copy(update={"digest": ""}),
        "verdict": Verdict.FAIL,
        "reasons": ("the registry is down", "hint: wait"),
    }
    before = [variant("x", K1), variant("y", K1)]
    after = [variant("x", K1).model_copy(update=failed), variant("y", K1).model_copy(update=moved)]
    assert words(before, after)[1:] == [
        "x: was build, now fail",
        "  the registry is down",
        "  hint: wait",
        "  base image: sha256:aaaaaaaaaaaa → not resolved",
        "y: build, as before",
        "  base image: sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb",
    ]


def test_no_variant_at_all_is_said():
    assert words([], [])[1:] == ["neither plan has a variant"]


OURS = SignerCertificate(name="Ours", sha256="1" * 64, next_sha256="2" * 64)
NEXT = SignerCertificate(name="Ours 2", sha256="2" * 64, next_sha256=None)
STRANGE = SignerCertificate(name="Ours 3", sha256="3" * 64, next_sha256=None)


def signer(before, after):
    return signer_line(SignerChange(before=before, after=after))


def test_what_hosts_with_secure_boot_make_of_another_signer():
    assert signer(None, OURS) == (
        "modules signed: by Ours (1111111111111111); with Secure Boot hosts load them once that "
        "certificate is enrolled"
    )
    assert signer(OURS, None) == (
        "modules signed no longer: were by Ours (1111111111111111); hosts with Secure Boot refuse them"
    )
    assert signer(OURS, NEXT) == (
        "modules signed by another: Ours (1111111111111111) → Ours 2 (2222222222222222), which the "
        "images before brought along to be enrolled"
    )
    assert "refuse the modules until it is enrolled" in signer(OURS, STRANGE)
    assert "refuse" in signer(NEXT, OURS), "nor was the way back announced"


def test_a_certificate_that_is_to_follow_is_said():
    without = OURS.model_copy(update={"next_sha256": None})
    assert signer(without, OURS) == "certificate to sign modules next: none → 2222222222222222"


def test_another_signer_stands_below_the_modules():
    before = variant("base-zfs", K1, modules=[module(K1)])
    after = before.model_copy(update={"module_signer": SIGNER})
    assert words([before], [after])[1:3] == [
        "base-zfs: build, as before",
        f"  {signer(None, SignerCertificate(name=SIGNER.name, sha256=SIGNER.sha256, next_sha256=None))}",
    ]
