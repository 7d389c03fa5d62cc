"""The package with an advisory: a real repository, read as the product reads it."""

import time

from immutable_base.repository.metadata import ADVISORIES, Source, read_repomd
from immutable_base.solver.advisories import NamedPackage, read_advisories
from immutable_base.workspace import file_digest
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import signing_key
from immutable_base_lab.rpms.signed_repository import make_repository
from immutable_base_lab.scenarios import escapement

SOURCE = Source(id="tiny", url="https://repo.example/tiny/")


def test_the_repository_has_both_versions_and_the_advisory_of_the_new_one(tmp_path, with_keys):
    with signing_key(with_keys(LabPaths(root=tmp_path / "lab")).rpm_key) as key:
        rpms = [
            escapement._build(tmp_path / "rpms", key, version)
            for version in (escapement.OLD, escapement.FIXED)
        ]
        for name in ("one", "two"):
            make_repository(tmp_path / name, rpms, key, updateinfo=escapement.UPDATEINFO)
            time.sleep(1.1)  # metadata has times in seconds
        assert make_repository(tmp_path / "one", rpms, key), "without advisories it is another"
        make_repository(tmp_path / "one", rpms, key, updateinfo=escapement.UPDATEINFO)
    repomd = (tmp_path / "one/repodata/repomd.xml").read_bytes()
    assert repomd == (tmp_path / "two/repodata/repomd.xml").read_bytes(), "the same inputs"
    described = read_repomd(SOURCE, repomd).files[ADVISORIES]
    path = tmp_path / "one" / described.url.removeprefix(SOURCE.url)
    assert file_digest(path) == described.checksum.hex
    (found,) = read_advisories("tiny", path)
    assert (found.id, found.cves) == (escapement.ADVISORY, (escapement.CVE,))
    assert found.packages == (
        NamedPackage(name=escapement.NAME, arch="noarch", evr=f"{escapement.FIXED}-1"),
    )
    assert not list((tmp_path / "one").glob("*.xml"))
