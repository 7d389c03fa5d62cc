"""Debian's archive as the lab reads it: nothing counts but what Debian signed."""

import hashlib
import lzma

import pytest

from immutable_base.errors import RemoteError, VerificationError
from immutable_base_lab.debian import archive
from immutable_base_lab.debian.archive import Mirrors, Suite, download, open_archive
from support.rpmmd import gpg

DEB = b"a package"
STANZA = """Package: {name}
Version: {version}
Architecture: amd64
Provides: editor
Filename: pool/main/{name}_{version}_amd64.deb
SHA256: {digest}
"""
SUITE = Suite(name="trixie", components=("main", "contrib"))


def stanza(name, version, content=DEB):
    return STANZA.format(name=name, version=version, digest=hashlib.sha256(content).hexdigest())


@pytest.fixture
def mirror(site, signers, tmp_path, monkeypatch):
    """A mirror with one suite; what it serves can be changed afterwards."""
    keyring = tmp_path / "archive-keyring.gpg"
    gpg(signers["ours"].home, "--output", str(keyring), "--export")
    monkeypatch.setattr(archive, "KEYRING", keyring)
    index = lzma.compress("\n".join([stanza("nano", "8.4-1"), stanza("nano", "8.10-1")]).encode())
    site.serve("/dists/trixie/main/binary-amd64/Packages.xz", index)
    publish(site, signers["ours"], tmp_path, index)
    site.serve("/pool/main/nano_8.10-1_amd64.deb", DEB)
    return site


def publish(site, signer, folder, index):
    """Serve a signed release file that describes an index, as Debian's archive writes it."""
    path = "main/binary-amd64/Packages.xz"
    (folder / "Release").write_text(
        f"Suite: trixie\nSHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} {path}\n"
    )
    (folder / "InRelease").unlink(missing_ok=True)
    gpg(signer.home, "--output", str(folder / "InRelease"), "--clearsign", str(folder / "Release"))
    site.serve("/dists/trixie/InRelease", (folder / "InRelease").read_bytes())


def opened(mirror, tmp_path):
    mirrors = Mirrors(archive=mirror.url, security=mirror.url)
    return open_archive(mirrors, [SUITE], tmp_path / "indexes")


def test_packages_of_a_signed_index_are_offered_in_debians_order(mirror, tmp_path):
    found = opened(mirror, tmp_path)
    assert [deb.version for deb in found.all("nano")] == ["8.4-1", "8.10-1"]
    assert found.newest("nano").version == "8.10-1"
    assert found.newest("nano", ["bookworm"]) is None
    assert {deb.name for deb in found.providers("editor")} == {"nano"}


def test_an_index_is_fetched_again_only_when_it_changed(mirror, tmp_path):
    opened(mirror, tmp_path)
    opened(mirror, tmp_path)
    indexes = [path for path in mirror.requests if path.endswith("Packages.xz")]
    assert len(indexes) == 1


def test_an_index_that_debian_did_not_sign_is_refused(mirror, signers, tmp_path):
    publish(mirror, signers["foreign"], tmp_path, b"")
    with pytest.raises(VerificationError, match="trixie is not signed by Debian") as caught:
        opened(mirror, tmp_path)
    assert "debian-archive-keyring" in str(caught.value)


def test_text_around_the_signature_describes_no_index(mirror, tmp_path):
    signed = (tmp_path / "InRelease").read_text()
    mirror.serve("/dists/trixie/InRelease", f"SHA256:\n 00 0 x\n{signed}\nSuite: y\n".encode())
    assert opened(mirror, tmp_path).newest("nano").version == "8.10-1"


def test_another_index_than_the_signed_one_is_refused(mirror, tmp_path):
    changed = lzma.compress(stanza("nano", "9-1").encode())
    mirror.serve("/dists/trixie/main/binary-amd64/Packages.xz", changed)
    with pytest.raises(VerificationError, match="index of trixie/main is not the one"):
        opened(mirror, tmp_path)


def test_a_package_is_fetched_once_and_is_what_the_index_describes(mirror, tmp_path):
    deb = opened(mirror, tmp_path).newest("nano")
    for _ in range(2):
        (path,) = download([deb], tmp_path / "debs").values()
        assert path.read_bytes() == DEB
    assert mirror.requests.count("/pool/main/nano_8.10-1_amd64.deb") == 1


def test_another_package_than_the_index_describes_is_refused(mirror, tmp_path):
    deb = opened(mirror, tmp_path).newest("nano")
    mirror.serve("/pool/main/nano_8.10-1_amd64.deb", b"another package")
    with pytest.raises(VerificationError, match=r"nano_8\.10-1_amd64\.deb is not the one"):
        download([deb], tmp_path / "debs")
    assert list((tmp_path / "debs").iterdir()) == []


def test_a_package_that_has_gone_is_named(mirror, tmp_path):
    deb = opened(mirror, tmp_path).exact("nano", "8.4-1")
    with pytest.raises(RemoteError, match=r"nano_8\.4-1_amd64\.deb cannot be fetched"):
        download([deb], tmp_path / "debs")
