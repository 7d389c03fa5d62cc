"""A base image that is newer than the mirrors, and the compose that it was made from."""

import pytest

from immutable_base.model.plan import RELEASED_BY, Verdict
from support.rpmmd import Rpm

COMPOSE = "CentOS-Stream-10-20261119.0"
LABELS = {"redhat.compose-id": COMPOSE}


def compiler(version):
    """Return packages as gcc's are: one requires another of exactly its own version."""
    return [
        Rpm("tree", "3-1", requires=("glibc-devel",)),
        Rpm("glibc-devel", version, requires=(f"glibc = {version}",)),
        Rpm("glibc", version),
    ]


@pytest.fixture
def newer(world):
    """The base has a glibc that no mirror has yet; its compose is configured, first of all."""
    world.base += [Rpm("glibc", "2.39-31")]
    world.repositories["baseos"] += compiler("2.39-23")
    tables = world.document["repositories"]
    world.document["repositories"] = {
        "compose": {"url": "http://mirror.invalid/{compose}/os/", "key": "k", "optional": True},
        **tables,
    }
    world.document["streams"]["el"]["repositories"] = ["compose", "baseos"]
    world.repositories[f"{COMPOSE}/os"] = compiler("2.39-31")
    world.labels = dict(LABELS)
    return world


def skipped(plan):
    return {(item.stream, item.id): item.reason for item in plan.skipped}


# ------------------------------------------------------------------ what must not pass


def test_without_the_compose_the_variant_is_held_with_the_packages_named(newer):
    newer.answers = {f"/{COMPOSE}/os/repodata/repomd.xml": 404}
    plan = newer.plan()
    found = plan.variants[0]
    assert (found.verdict, found.exit_code, found.layers) == (Verdict.HOLD, 0, ())
    assert found.reasons[0] == (
        "held: the base image is newer than the repositories: "
        "glibc 2.39-31 is installed, baseos offers 2.39-23"
    )
    assert found.reasons[1].startswith("repository 'compose' is not used: repomd.xml cannot be")
    assert found.reasons[-1] == (
        f"{RELEASED_BY}repositories that have glibc 2.39-31 or newer, or another base image"
    )
    assert [v.verdict for v in plan.variants][-1] is Verdict.BUILD
    assert "404" in skipped(plan)["el", "compose"]
    assert f"http://mirror.invalid/{COMPOSE}/os/" in skipped(plan)["el", "compose"]


def test_what_another_variant_does_without_is_no_reason_of_this_one(newer):
    """Which others are planned with it changes no variant."""
    newer.labels = {}
    newer.document["repositories"]["extra"] = {
        "url": "http://mirror.invalid/extra/", "key": "k", "optional": True,
    }  # fmt: skip
    newer.document["layers"]["zfs"]["repositories"] = ["extra"]
    alone = newer.variant("base")
    assert newer.plan("base", "base-zfs").variants[0] == alone
    assert "extra" not in " ".join(alone.reasons)


def test_a_builder_that_the_base_is_too_new_for_is_held_as_well(newer):
    newer.answers = {f"/{COMPOSE}/os/repodata/repomd.xml": 404}
    newer.document["layers"]["base"]["packages"] = ["jq"]
    newer.repositories["baseos"] += [Rpm("gcc", "15-1", requires=("glibc-devel",))]
    found = newer.variant("base-zfs")
    assert (found.verdict, found.modules) == (Verdict.HOLD, ())
    assert "glibc 2.39-31 is installed" in found.reasons[0]


def test_what_is_wrong_besides_is_a_failure(newer):
    newer.labels = {}
    newer.repositories["baseos"] += [Rpm("jq", "2-1", requires=("libmissing.so",))]
    assert newer.variant("base").verdict is Verdict.FAIL


def test_a_compose_with_a_wrong_signature_is_not_skipped(newer):
    newer.document["repositories"]["compose"]["metadata_key"] = "k"
    newer.write()
    repomd = (newer.folder / "www" / COMPOSE / "os/repodata/repomd.xml").read_bytes()
    changed = repomd.replace(b"<revision>1700000000", b"<revision>1700000001")
    newer.tampered = {f"/{COMPOSE}/os/repodata/repomd.xml": changed}
    plan = newer.plan("base", write=False)
    assert plan.variants[0].exit_code == 12
    assert plan.skipped == ()


def test_the_compose_is_never_preferred_over_an_equal_version(newer):
    newer.repositories["baseos"] += [Rpm("jq", "1.8-1", requires=("libjq",)), Rpm("libjq")]
    newer.repositories[f"{COMPOSE}/os"] += [Rpm("jq", "1.8-1", requires=("libjq",)), Rpm("libjq")]
    install = newer.variant("base").layers[0].install
    origins = {p.name: p.repository for p in install}
    assert origins == {
        "jq": "baseos", "libjq": "baseos", "glibc-devel": "compose", "tree": "baseos",
    }  # fmt: skip


@pytest.mark.parametrize("label", [None, "", "../../evil", "a/b", "{release}", "x y", "-", "a?b#c"])
def test_a_label_that_is_no_compose_asks_for_no_repository(newer, label):
    newer.labels = {} if label is None else {"redhat.compose-id": label}
    plan = newer.plan("base")
    assert skipped(plan) == {("el", "compose"): "the base image has no label redhat.compose-id"}
    assert {path.split("/")[1] for path in newer.requests} <= {"baseos", "key.asc"}


# ------------------------------------------------------------------ what must come out


def test_with_the_compose_it_is_built(newer):
    plan = newer.plan("base")
    [found] = plan.variants
    assert found.verdict is Verdict.BUILD, found.reasons
    assert "glibc-devel-2.39-31.x86_64" in {p.nevra for p in found.layers[0].install}
    assert found.base.compose == COMPOSE
    assert plan.skipped == ()
    assert {item.id: item.url for item in plan.repositories}["compose"] == (
        f"http://mirror.invalid/{COMPOSE}/os/"
    )


def test_a_compose_that_nobody_needs_may_be_gone(newer):
    newer.base = [rpm for rpm in newer.base if rpm.name != "glibc"]
    for answer in (404, 410, 503):
        newer.answers = {f"/{COMPOSE}/os/repodata/repomd.xml": answer}
        plan = newer.plan("base")
        assert plan.variants[0].verdict is Verdict.BUILD
        assert set(skipped(plan)) == {("el", "compose")}


def test_a_stream_that_does_not_use_it_does_not_skip_it(newer):
    newer.labels = {}
    assert newer.plan("fedora-base").skipped == ()


def test_the_compose_may_have_the_kernel_devel_of_the_bases_own_kernel(newer):
    devel = Rpm(
        "kernel-devel", "6.12.105-1", provides=("kernel-devel-uname-r = 6.12.105-1.x86_64",)
    )
    newer.repositories[f"{COMPOSE}/os"] += [devel]
    found = newer.variant("base-zfs")
    assert found.kernel.chosen == "6.12.105-1.x86_64"
    assert {p.repository for p in found.modules[0].builder if p.name == "kernel-devel"} == {
        "compose"
    }


def test_the_key_of_a_compose_is_not_asked_for_again(newer):
    """Where a compose is, only the base tells, while its key is known already."""
    plan = newer.plan("base")
    assert {item.id for item in plan.repositories} == {"baseos", "compose"}
    assert newer.requests.count("/key.asc") == 1
    (key,) = plan.keys
    assert (key.name, key.fingerprint) == ("k", newer.signer.fingerprint)
