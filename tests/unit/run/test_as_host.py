"""`verify --as-host` asks what a host does before it pulls: where it admits images, that first."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from immutable_base.errors import VerificationError
from immutable_base.model.facts import ProgramOutput
from immutable_base.run import as_host

REPOSITORY, DIGEST = "registry.example/os/base", "sha256:" + 64 * "1"
DONE, FAILED = ProgramOutput(status=0, text=""), ProgramOutput(status=12, text="signed by x")


class Host:
    """Notes what it is asked; it admits what `admitted` says."""

    def __init__(self, *, admits, admitted=DONE):
        self.admits, self.admitted, self.asked = admits, admitted, []

    def admit(self, name):
        self.asked.append(("admit", name))
        return self.admitted

    def fetch(self, name):
        self.asked.append(("fetch", name))
        return DONE


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Return a function that asks a host about a tag, or about a digest."""
    monkeypatch.setattr(as_host.skopeo, "fetch", lambda *_: None)
    monkeypatch.setattr(as_host.buildah, "pull_layout", lambda *_: "id")

    def call(host, tag):
        monkeypatch.setattr(as_host, "open_host", lambda *_: nullcontext(host))
        verified = SimpleNamespace(repository=REPOSITORY, tag=tag, pinned=f"{REPOSITORY}@{DIGEST}")
        as_host.require_taken_by_host(verified, None, tmp_path / "workspace")
        return host.asked

    return call


@pytest.mark.parametrize(
    ("tag", "name"), [("latest", f"{REPOSITORY}:latest"), (None, f"{REPOSITORY}@{DIGEST}")]
)
def test_a_host_that_admits_images_admits_it_by_the_name_that_it_pulls(ask, tag, name):
    assert ask(Host(admits=True), tag) == [("admit", name), ("fetch", name)]
    assert ask(Host(admits=False), tag) == [("fetch", name)]


def test_what_its_program_does_not_admit_is_refused(ask):
    host = Host(admits=True, admitted=FAILED)
    with pytest.raises(VerificationError, match="would not admit") as caught:
        ask(host, "latest")
    assert caught.value.details == "signed by x"
    assert host.asked == [("admit", f"{REPOSITORY}:latest")]
