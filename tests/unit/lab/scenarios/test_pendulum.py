"""The library that the tiny base has newer than its repository: real packages, solved as by a plan."""

import pytest

from immutable_base.process import Command, run
from immutable_base.repository.metadata import Metadata, Source
from immutable_base.solver.pool import PackagePool
from immutable_base.solver.transaction import (
    InstalledNewerError,
    Skew,
    TransactionRequest,
    solve,
)
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import signing_key
from immutable_base_lab.rpms.signed_repository import make_repository
from immutable_base_lab.scenarios import pendulum
from support.pools import NO_KEY, installed
from support.rpmmd import Rpm

NEVRA = "%{NAME} %{EVR}"


@pytest.fixture
def packages(tmp_path, with_keys):
    """The base's package, and the repository's."""
    (tmp_path / "own").mkdir()
    (tmp_path / "offered").mkdir()
    with signing_key(with_keys(LabPaths(root=tmp_path / "lab")).rpm_key) as key:
        base = pendulum.installed_rpm(tmp_path / "own", key)
        offered = pendulum.offered_rpms(tmp_path / "offered", key)
        make_repository(tmp_path / "www", offered, key)
    return base, tmp_path / "www"


def test_the_base_has_it_newer_and_nothing_else_stands_in_the_way(packages):
    base, repository = packages
    query = ("rpm", "--nosignature", "-qp", "--queryformat", NEVRA, str(base))
    name, evr = run(Command(argv=query, timeout=30)).text.split()
    (primary,) = (repository / "repodata").glob("*-primary.xml.gz")
    metadata = Metadata(
        source=Source(id="modules", url="https://repo.example/modules/"), revision="1",
        repomd_sha256="0" * 64, signed_by=None, key=NO_KEY, primary=primary, files={},
    )  # fmt: skip
    pool = PackagePool([metadata], installed(Rpm(name, evr)), lambda _name: None)
    request = TransactionRequest(
        title="the builder", repositories=("modules",), install=(), names=(pendulum.DEVEL,)
    )
    with pytest.raises(InstalledNewerError) as caught:
        solve(pool, pool.base, request)
    skew = Skew(name="pendulum", installed="0.2-1", offered="0.1-1", repository="modules")
    assert caught.value.skews == (skew,)
