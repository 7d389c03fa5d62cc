"""Servers, certificates and keys for the tests of every room; what every unit test starts from."""

import logging

import pytest

from support.loopback import stay_on_this_machine
from support.trust_fixtures import certificate, direct, secure_site, signers, site

__all__ = ["certificate", "direct", "secure_site", "signers", "site"]


@pytest.fixture(autouse=True)
def logging_ends_with_the_test():
    """A command's handlers write to a terminal that is gone when the next test runs."""
    root = logging.getLogger("immutable_base")
    before, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


@pytest.fixture(autouse=True, scope="session")
def _this_machine_alone():
    """Unit tests need no network: a test that would use it fails instead."""
    with pytest.MonkeyPatch.context() as patch:
        stay_on_this_machine(patch)
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_authority_of_this_machine(tmp_path_factory):
    """Unit tests trust the authorities that they make: to read the machine's takes longer than most."""
    folder = tmp_path_factory.mktemp("authorities")
    (folder / "none.pem").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "none.pem"))
        patch.setenv("SSL_CERT_DIR", str(folder))
        yield
