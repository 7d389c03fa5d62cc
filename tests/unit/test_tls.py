"""A private CA is trusted beside the system's, by our client and by programs."""

from pathlib import Path

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.tls import set_up_tls


def test_programs_trust_the_systems_authorities_and_the_private_one(tmp_path, monkeypatch):
    (tmp_path / "system.pem").write_text("SYSTEM\n")
    (tmp_path / "ca.pem").write_text("OURS\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    tls = set_up_tls(tmp_path / "ca.pem", tmp_path / "workspace")
    assert Path(tls.environment["SSL_CERT_FILE"]).read_text().split() == ["SYSTEM", "OURS"]
    assert tls.authority == tmp_path / "ca.pem"


def test_without_a_private_authority_nothing_is_written(tmp_path):
    tls = set_up_tls(None, tmp_path)
    assert (tls.authority, dict(tls.environment)) == (None, {})
    assert list(tmp_path.iterdir()) == []


def test_an_authority_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"there is no file .*/ca\.pem"):
        set_up_tls(tmp_path / "ca.pem", tmp_path)
    assert list(tmp_path.iterdir()) == []
