"""The end of support of a base image, by its own os-release."""

from datetime import UTC, datetime

import pytest

from immutable_base.model.plan import RELEASED_BY, Verdict

ENDED = 'NAME="Fedora Linux"\nSUPPORT_END=2026-12-02\n'


def seconds(day):
    return datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC).timestamp()


def planned(world, today, text=ENDED, name="fedora-base"):
    world.os_release, world.now = text, seconds(today)
    return world.variant(name)


# ------------------------------------------------------------------ what must not pass


@pytest.mark.parametrize("today", ["2026-12-02", "2027-03-01"])
def test_nothing_is_built_from_the_first_day_without_support(world, today):
    found = planned(world, today)
    assert (found.verdict, found.exit_code) == (Verdict.HOLD, 0)
    assert found.reasons[0].startswith("held: the base image has no support since 2026-12-02")
    assert found.reasons[-1].startswith(RELEASED_BY)
    assert "streams.fc.allow_unsupported = true" in found.reasons[-1]
    assert found.layers == ()


def test_a_clock_that_is_behind_the_base_image_does_not_hide_the_end(world):
    """Its base was made on 2026-11-20: whatever this machine believes, it is later than that."""
    found = planned(world, "1999-01-01", "SUPPORT_END=2026-11-01\n")
    assert found.verdict is Verdict.HOLD


def test_it_is_held_though_its_repositories_have_left_the_mirrors(world):
    """That would be a failure, and somebody would look for a fault of ours."""
    world.answers = {"/fedora/repodata/repomd.xml": 404}
    assert planned(world, "2027-03-01").verdict is Verdict.HOLD


def test_another_stream_is_not_held(world):
    world.document["streams"]["el"]["allow_unsupported"] = True
    assert planned(world, "2026-12-02").verdict is Verdict.HOLD


def test_a_link_out_of_the_image_is_not_read(world, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("SUPPORT_END=2020-01-01\n")
    buildah = world._buildah

    def linked(words):
        said = buildah(words)
        if "mount" in words:
            root = said.stdout.decode()
            (world.folder / root / "usr/lib/os-release").symlink_to(elsewhere)
        return said

    monkeypatch.setattr(world, "_buildah", linked)
    found = planned(world, "2026-11-20", None)
    assert (found.verdict, found.warnings, found.base.support_end) == (Verdict.BUILD, (), "")


# ------------------------------------------------------------------ what must come out


@pytest.mark.parametrize(
    ("today", "warned"),
    [("2026-11-20", True), ("2026-12-01", True)],
)
def test_thirty_days_before_the_plan_warns_and_builds(world, today, warned):
    found = planned(world, today)
    assert found.verdict is Verdict.BUILD
    [text] = found.warnings
    assert "no support from 2026-12-02 on" in text
    assert "streams.fc" in text


@pytest.mark.parametrize(("end", "warned"), [("2026-12-20", True), ("2026-12-21", False)])
def test_it_warns_from_the_thirtieth_day_on_and_not_before(world, end, warned):
    found = planned(world, "2026-11-20", f"SUPPORT_END={end}\n")
    assert bool(found.warnings) is warned
    assert found.base.support_end == end


def test_the_words_are_the_same_every_day(world):
    """Or no plan would ever be that of the day before."""
    assert planned(world, "2026-11-21") == planned(world, "2026-11-28")


@pytest.mark.parametrize("today", ["2026-12-02", "2027-03-01"])
def test_who_allows_it_builds_it_with_a_warning(world, today):
    world.document["streams"]["fc"]["allow_unsupported"] = True
    found = planned(world, today)
    assert found.verdict is Verdict.BUILD
    assert found.warnings == (
        "the base image has no support since 2026-12-02 (its SUPPORT_END): streams.fc.allow_unsupported",
    )


@pytest.mark.parametrize(
    "text", [None, "", "NAME=x\n", "#SUPPORT_END=2020-01-01\n", "SUPPORT_END=\n"]
)
def test_a_base_that_says_nothing_is_supported(world, text):
    found = planned(world, "2030-01-01", text)
    assert (found.verdict, found.warnings) == (Verdict.BUILD, ())


@pytest.mark.parametrize("value", ["2026-13-01", "soon", '"2026-12-02', "20261202T00", "x" * 5000])
def test_what_is_no_date_is_said_and_holds_nothing(world, value):
    found = planned(world, "2030-01-01", f"SUPPORT_END={value}\n")
    assert found.verdict is Verdict.BUILD
    assert all(len(text) < 200 for text in found.warnings)
    assert found.warnings == () if value.startswith('"') else "is no date" in found.warnings[0]


@pytest.mark.parametrize("value", ["2026-12-02", '"2026-12-02"', "'2026-12-02'", "2026-12-02  "])
def test_every_form_of_an_assignment(world, value):
    assert planned(world, "2026-12-02", f"SUPPORT_END={value}\n").verdict is Verdict.HOLD
