"""What `lab env` prints is read as a shell would."""

import pytest

from support.fake_programs import write_program
from support.scenario_runs import environment_of

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
    write_program(tmp_path / "cosign", "exit 0")
    assert environment_of(PRINTED)["PATH"] == f"{tmp_path}:/lab/tools/bin:/usr/bin"
