"""updateinfo.xml as createrepo_c and Fedora's Bodhi write it."""

import bz2
import gzip
import lzma

import pytest
import zstandard

from immutable_base.errors import VerificationError
from immutable_base.solver.advisories import NamedPackage, read_advisories
from support.rpmmd import Notice, updateinfo_xml

NOTICE = Notice(
    "FEDORA-2026-1", (("jq", "1.8-1"), ("jq-libs", "2:1.8-1")),
    references=(("cve", "CVE-2026-1000", "out of bounds"), ("bugzilla", "12", "CVE-2026-10001 jq: another"), ("self", "CVE-2026-9999", "x")),
)  # fmt: skip


def read(tmp_path, text, suffix=".xml"):
    path = tmp_path / f"updateinfo{suffix}"
    path.write_bytes(text)
    return read_advisories("updates", path)


def test_an_advisory_has_severity_packages_with_epoch_and_cves(tmp_path):
    (found,) = read(tmp_path, updateinfo_xml([NOTICE]))
    assert (found.id, found.severity) == ("FEDORA-2026-1", "Important")
    assert found.packages == (
        NamedPackage(name="jq", arch="x86_64", evr="1.8-1"),
        NamedPackage(name="jq-libs", arch="x86_64", evr="2:1.8-1"),
    )
    assert found.cves == ("CVE-2026-1000", "CVE-2026-10001"), (
        "references to CVEs and bugs, no other"
    )


@pytest.mark.parametrize("kind", ["bugfix", "enhancement", "newpackage", "Security fix"])
def test_other_updates_are_no_advisories(tmp_path, kind):
    assert read(tmp_path, updateinfo_xml([Notice("X-1", (("jq", "2-1"),), kind=kind)])) == ()


def test_an_advisory_without_severity_and_references_counts(tmp_path):
    (found,) = read(tmp_path, updateinfo_xml([Notice("X-1", (("jq", "2-1"),), severity="")]))
    assert (found.severity, found.cves) == ("", ())


PACKED = {
    ".xml.gz": gzip.compress, ".xml.xz": lzma.compress, ".xml.bz2": bz2.compress,
    ".xml.zst": zstandard.ZstdCompressor().compress,
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "pack"), PACKED.items(), ids=PACKED.keys())
def test_it_may_be_packed_as_repositories_pack_metadata(tmp_path, suffix, pack):
    assert len(read(tmp_path, pack(updateinfo_xml([NOTICE])), suffix)) == 1


@pytest.mark.parametrize("text", [b"", b"<updates><update", b"\0\1", b"no XML"])
def test_what_is_no_updateinfo_is_an_error_with_the_repositorys_name(tmp_path, text):
    with pytest.raises(VerificationError, match="'updates' cannot be read"):
        read(tmp_path, text)
