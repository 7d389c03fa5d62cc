"""Keys are fetched and judged in the first minute: a plan that says `build` has all that it needs."""

import pytest

from immutable_base.model.plan import Plan, Verdict
from support.pools import recorded
from support.rpmmd import make_signer

GOES_ON = {"base": (Verdict.BUILD, 0), "fedora-base": (Verdict.BUILD, 0)}
NOT_PINNED = (
    "held: the key `cuda` is not pinned; `immutable-base keys check cuda` shows how",
    "released by: a pin of cuda",
)


@pytest.fixture
def own_keys(world):
    """Each repository has a key of its own name, which signs its packages and no metadata."""
    for name, repository in world.document["repositories"].items():
        repository.update(key=name)
        del repository["metadata_key"]
        world.document["keys"][name] = {
            "places": [f"http://mirror.invalid/{name}.asc", "http://mirror.invalid/key.asc"],
            "fingerprint": world.signer.fingerprint,
        }
    return world


def verdicts(plan):
    return {item.name: (item.verdict, item.exit_code) for item in plan.variants}


# ------------------------------------------------------------------ what must not pass


def test_a_package_key_that_no_place_has_fails_its_variants_before_anything_is_built(own_keys):
    """OpenZFS' key was fetched after half an hour of everything else, and was not there."""
    own_keys.document["keys"]["openzfs"]["places"] = [
        "http://mirror.invalid/a",
        "http://mirror.invalid/b",
    ]
    plan = own_keys.plan()
    assert verdicts(plan) == {
        **GOES_ON, "base-zfs": (Verdict.FAIL, 6), "base-zfs-nvidia": (Verdict.FAIL, 6),
    }  # fmt: skip
    reasons = "\n".join(plan.variants[1].reasons)
    assert "repository 'openzfs': the key 'openzfs': none of its 2 places" in reasons
    for place in ("http://mirror.invalid/a", "http://mirror.invalid/b"):
        assert f"{place}: the key 'openzfs' cannot be fetched: the server answered 404" in reasons


def test_a_package_key_that_is_another_one_fails_its_variants_by_name(own_keys, tmp_path):
    other = make_signer(tmp_path / "other")
    own_keys.tampered = {"/key.asc": other.public.read_bytes()}
    for name in ("baseos", "cuda", "fedora"):
        own_keys.tampered[f"/{name}.asc"] = own_keys.signer.public.read_bytes()
    plan = own_keys.plan()
    assert verdicts(plan) == {
        **GOES_ON, "base-zfs": (Verdict.FAIL, 12), "base-zfs-nvidia": (Verdict.FAIL, 12),
    }  # fmt: skip
    assert other.fingerprint in "\n".join(plan.variants[1].reasons)


@pytest.mark.parametrize("use", ["key", "metadata_key"])
def test_a_variant_whose_key_is_not_pinned_is_held_alone_and_nothing_is_fetched_for_it(world, use):
    world.document["keys"]["cuda"] = {"places": ["http://mirror.invalid/cuda.asc"]}
    world.document["repositories"]["cuda"][use] = "cuda"
    plan = world.plan()
    assert verdicts(plan) == {
        **GOES_ON, "base-zfs": (Verdict.BUILD, 0), "base-zfs-nvidia": (Verdict.HOLD, 0),
    }  # fmt: skip
    assert plan.variants[2].reasons == NOT_PINNED
    assert plan.exit_code == 0
    assert not [path for path in world.requests if "cuda" in path]
    assert {item.id for item in plan.repositories} == {"baseos", "openzfs", "fedora"}
    assert Plan.model_validate_json(plan.to_json()) == plan


def test_where_all_are_held_not_even_the_base_image_is_asked_for(world):
    world.document["keys"]["cuda"] = {"places": ["http://mirror.invalid/cuda.asc"]}
    world.document["repositories"]["cuda"]["key"] = "cuda"
    commands = recorded(world)
    (held,) = world.plan("base-zfs-nvidia").variants
    assert (held.verdict, held.base.digest) == (Verdict.HOLD, "")
    assert (commands, world.requests) == ([], [])


def test_a_held_variant_is_the_same_whatever_else_is_planned(world):
    world.document["keys"]["cuda"] = {"places": ["http://mirror.invalid/cuda.asc"]}
    world.document["repositories"]["cuda"]["key"] = "cuda"
    assert world.plan().variants[2] == world.variant("base-zfs-nvidia")


# ------------------------------------------------------------------ what must come out


def test_the_plan_holds_each_key_of_its_packages_once(own_keys):
    plan = own_keys.plan()
    assert [key.name for key in plan.keys] == ["baseos", "cuda", "fedora", "openzfs"]
    assert {key.fingerprint for key in plan.keys} == {own_keys.signer.fingerprint}
    assert own_keys.signer.public.read_text().strip() in {key.armored for key in plan.keys}
    assert {key.name for key in own_keys.plan("base-zfs").keys} == {"baseos", "openzfs"}


def test_the_place_that_had_the_key_does_not_change_the_plan(own_keys):
    """A mirror that is down for a night must not make another plan of the same inputs."""
    second = own_keys.plan("base-zfs").to_json()
    own_keys.tampered = {"/openzfs.asc": own_keys.signer.public.read_bytes()}
    assert own_keys.plan("base-zfs", write=False).to_json() == second


def test_the_sum_of_a_key_file_is_in_the_plan_where_it_is_pinned(own_keys):
    import hashlib

    digest = hashlib.sha256(own_keys.signer.public.read_bytes()).hexdigest()
    own_keys.document["keys"]["openzfs"].update(sha256=digest, fingerprint=None)
    found = {key.name: key.file_sha256 for key in own_keys.plan("base-zfs").keys}
    assert found == {"baseos": None, "openzfs": digest}
