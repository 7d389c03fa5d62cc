"""Which versions of cosign and syft are accepted, and how a version is read."""

import pytest

from immutable_base.errors import CommandError
from immutable_base.process import run
from immutable_base.tools import cosign, syft
from immutable_base.tools.pins import Version, load_pins, parse_version
from support import fake_programs as fake


@pytest.mark.parametrize(
    "version", ["2.6.2", "v2.6.3-rc.1", "1.13.6", "3.0.0", "v3.0.5", "v3.2.0", "3.2.0-rc.1", "4.0.0", "v10.0.0"]
)  # fmt: skip
def test_cosign_without_the_fix_or_not_tested_is_refused(version):
    """GHSA-w6c6-c85g-mmv6 is fixed in 2.6.3 and 3.0.6."""
    assert not load_pins()["cosign"].accepts(Version.parse(version))


@pytest.mark.parametrize("version", ["v2.6.3", "2.6.5", "2.10.0", "3.0.6", "v3.1.3", "3.1.12"])
def test_cosign_with_the_fix_is_accepted(version):
    assert load_pins()["cosign"].accepts(Version.parse(version))


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        ("1.41.9", False),
        ("1.42.0-rc1", False),
        ("2.0.0", False),
        ("1.42.0", True),
        ("1.100.1", True),
    ],
)
def test_syft_is_accepted_from_the_pinned_minor_on(version, accepted):
    assert load_pins()["syft"].accepts(Version.parse(version)) is accepted


def test_what_is_built_is_accepted():
    for pin in load_pins().values():
        assert pin.accepts(Version.parse(pin.version)), pin.name
        assert pin.sum.startswith("h1:")


@pytest.mark.parametrize("text", ["", "devel", "(devel)", "2", "two.six", "2.6.5 extra", "2..5"])
def test_what_is_no_version_is_refused(text):
    with pytest.raises(CommandError, match="the version of `cosign` cannot be read"):
        parse_version("cosign", text)


def test_versions_are_ordered_by_number_and_not_by_letter():
    texts = ["go1.9", "go1.10.0", "1.25.8-rc1", "v1.25.8", "1.26", "2.0.0"]
    versions = [Version.parse(text) for text in texts]
    shuffled = versions[3:] + versions[:3]
    assert sorted(shuffled) == versions


@pytest.mark.parametrize(
    "output", ["", "cosign 2.6.5", "[]", "null", '{"GitVersion": "v2.6.5"}', '{"gitVersion": null}']
)
def test_a_program_that_reports_its_version_otherwise_is_an_error(tmp_path, output):
    program = fake.write_program(tmp_path / "cosign", fake.reporting(output))
    with pytest.raises(CommandError, match="cannot be read"):
        cosign.version(run, str(program))


def test_each_program_is_asked_in_its_own_way(tmp_path):
    ours = fake.write_program(
        tmp_path / "cosign", f'[ "$*" = "version --json" ] || exit 3\n{fake.cosign("v2.6.5")}'
    )
    assert cosign.version(run, str(ours)) == Version((2, 6, 5))
    ours = fake.write_program(
        tmp_path / "syft",
        f'[ "$* $SYFT_CHECK_FOR_APP_UPDATE" = "version --output=json false" ] || exit 3\n{fake.syft("1.42.3")}',
    )
    assert syft.version(run, str(ours)) == Version((1, 42, 3))
