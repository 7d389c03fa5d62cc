"""No module may be older than in the last published image."""

import pytest

from immutable_base.model.plan import Verdict

LABEL = "io.immutable-base.module.zfs"


def planned(world, published, name="base-zfs"):
    world.published = {name: published}
    return world.variant(name)


# ------------------------------------------------------------------ what must not pass


def test_a_module_that_is_older_than_the_published_one_is_refused(world):
    """Every package of an old state of the repository is signed as well."""
    found = planned(world, {LABEL: "2.3.11"})
    assert (found.verdict, found.exit_code) == (Verdict.FAIL, 12)
    assert found.reasons[0] == (
        "zfs 2.3.10~rc1 is older than 2.3.11, which the last published image has"
    )
    assert "registry.invalid/x/base-zfs:latest" in found.reasons[1]
    assert 'modules.zfs.allow_rollback_to = "2.3.10~rc1"' in found.reasons[-1]


def test_versions_are_compared_as_rpm_does_and_not_as_text(world):
    assert planned(world, {LABEL: "2.3.10"}).verdict is Verdict.FAIL
    assert planned(world, {LABEL: "2.3.9"}).verdict is Verdict.BUILD


def test_one_version_is_allowed_and_no_other(world):
    world.document["modules"]["zfs"]["allow_rollback_to"] = "2.3.9"
    assert planned(world, {LABEL: "2.4.1"}).verdict is Verdict.FAIL
    world.document["modules"]["zfs"]["allow_rollback_to"] = "2.3.10~rc1"
    assert planned(world, {LABEL: "2.4.1"}).verdict is Verdict.BUILD


def test_the_second_module_counts_as_the_first_does(world):
    published = {LABEL: "2.3.9", "io.immutable-base.module.nvidia": "550.164"}
    found = planned(world, published, "base-zfs-nvidia")
    assert found.reasons[0].startswith("nvidia 550.163.01 is older than 550.164")


def test_a_registry_that_does_not_answer_is_no_way_around_it(world):
    """Who can set a repository back may be able to cut the registry off."""
    found = planned(world, "dial tcp: connection refused")
    assert (found.verdict, found.exit_code) == (Verdict.FAIL, 6)
    assert "registry.invalid/x/base-zfs:latest" in found.reasons[0]


def test_an_image_of_another_form_does_not_count_as_published(world, monkeypatch):
    monkeypatch.setattr(world, "_our_registry", lambda words: world._said("[]"))
    assert world.variant("base-zfs").exit_code == 6


# ------------------------------------------------------------------ what must come out


@pytest.mark.parametrize(
    "published",
    [{}, {LABEL: ""}, {LABEL: "2.3.10~rc1"}, "reading manifest latest: manifest unknown",
     "name unknown: repository name not known to registry"],
)  # fmt: skip
def test_what_was_never_published_or_is_the_same_is_no_obstacle(world, published):
    found = planned(world, published)
    assert (found.verdict, found.warnings) == (Verdict.BUILD, ())


@pytest.mark.parametrize(
    "words", ["unauthorized: authentication required", "denied: access forbidden"]
)
def test_where_a_login_is_wanted_the_plan_says_what_it_does_not_know(world, words):
    """The registry says so itself, over TLS."""
    found = planned(world, words)
    assert found.verdict is Verdict.BUILD
    [text] = found.warnings
    assert text == (
        "whether zfs 2.3.10~rc1 would be a rollback is not known: "
        "registry.invalid/x/base-zfs:latest cannot be read without a login"
    )


def test_without_a_tag_that_moves_the_plan_says_so(world):
    world.document["publish"]["tags"] = ["{date}"]
    [text] = planned(world, {LABEL: "9"}).warnings
    assert "publish.tags has no tag that moves" in text


def test_the_tag_that_moves_is_asked_for_wherever_it_stands(world):
    world.document["publish"]["tags"] = ["{date}", "latest"]
    assert planned(world, {LABEL: "9"}).verdict is Verdict.FAIL


def test_pool_features_that_a_rollback_would_not_know_are_warned_of(world):
    found = planned(world, {LABEL: "2.2.9"})
    assert found.verdict is Verdict.BUILD
    [text] = found.warnings
    assert text.startswith("zfs 2.3.10~rc1 has other pool features than 2.2.9 in the last")
    assert "`zpool upgrade`" in text


@pytest.mark.parametrize("before", ["2.3", "2.3.0", "2.3.9"])
def test_a_third_number_brings_no_pool_feature(world, before):
    assert planned(world, {LABEL: before}).warnings == ()


def test_of_the_pools_of_other_modules_nothing_is_said(world):
    published = {LABEL: "2.3.9", "io.immutable-base.module.nvidia": "535.1"}
    assert planned(world, published, "base-zfs-nvidia").warnings == ()


def test_variants_without_modules_ask_for_nothing(world):
    world.published = dict.fromkeys(("base", "fedora-base"), "connection refused")
    found = world.plan("base", "fedora-base")
    assert {(v.verdict, v.warnings) for v in found.variants} == {(Verdict.BUILD, ())}
