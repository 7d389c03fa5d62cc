"""What `lab env` prints is read as a shell would."""

import tomllib
from pathlib import Path

import pytest

from support import fake_programs as fake
from support.scenario_runs import environment_of, for_tests

PRINTED = """\
export PATH='/lab/tools/bin:/usr/bin'
export WITH_QUOTE='it'"'"'s = here'
export PLAIN=word
"""


def test_values_are_what_a_shell_would_export(monkeypatch):
    monkeypatch.delenv("IMMUTABLE_BASE_TEST_COSIGN", raising=False)
    monkeypatch.setenv("KEPT", "as it was")
    found = environment_of(PRINTED)
    names = ("PATH", "WITH_QUOTE", "PLAIN", "KEPT")
    assert [found[name] for name in names] == [
        "/lab/tools/bin:/usr/bin", "it's = here", "word", "as it was",
    ]  # fmt: skip


def test_another_cosign_comes_before_the_labs_if_it_is_there(monkeypatch, tmp_path):
    monkeypatch.setenv("IMMUTABLE_BASE_TEST_COSIGN", str(tmp_path))
    with pytest.raises(AssertionError, match="there is no program"):
        environment_of(PRINTED)
    fake.write_program(tmp_path / "cosign", "exit 0")
    assert environment_of(PRINTED)["PATH"] == f"{tmp_path}:/lab/tools/bin:/usr/bin"


CONFIGURATION = """\
[registry]
destination = "registry.example/os"
[boot]
policy = "required"
"""


@pytest.mark.parametrize(
    ("named", "place"),
    [(False, "registry.example/os"), (True, "registry.example/os-by-cosign-3.1.3")],
)
def test_another_cosign_publishes_to_a_place_of_its_own(monkeypatch, tmp_path, named, place):
    """Else what the lab's own has signed would be left as it is, and count as the other one's."""
    monkeypatch.delenv("IMMUTABLE_BASE_TEST_COSIGN", raising=False)
    if named:
        fake.write_program(tmp_path / "cosign", fake.cosign("v3.1.3"))
        monkeypatch.setenv("IMMUTABLE_BASE_TEST_COSIGN", str(tmp_path))
    configuration = tmp_path / "immutable-base.toml"
    configuration.write_text(CONFIGURATION)
    found = for_tests(
        {
            "IMMUTABLE_BASE_CONFIG": str(configuration),
            "IMMUTABLE_BASE_REGISTRY": "registry.example/os",
        }
    )
    assert found["IMMUTABLE_BASE_REGISTRY"] == place
    changed = tomllib.loads(Path(found["IMMUTABLE_BASE_CONFIG"]).read_text())
    assert changed == {"registry": {"destination": place}, "boot": {"policy": "off"}}
