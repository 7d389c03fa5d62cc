"""libsolv's pool: what its Python module gets wrong must not reach a night; what plans record."""

import subprocess
import sys

import pytest

from immutable_base.errors import VerificationError
from immutable_base.model.checksum import Checksum
from immutable_base.model.plan import Package
from immutable_base.solver.pool import ROOM, PackagePool
from support.pools import pool_of
from support.rpmmd import Rpm

MANY = """
from immutable_base.model.evr import Evr, Nevra
from immutable_base.solver.pool import PackagePool, Promised
pool = PackagePool([], [], lambda name: None)
for round in range(5):
    promised = [
        pool.promise(Promised(nevra=Nevra(f"p{n}", Evr(0, "1", "1"), "noarch"), provides=(), requires=())).id
        for n in range(900)
    ]
    pool.consider(promised)
assert [item.name for item in pool.providing("p899")] == ["p899"]
del pool
print("whole")
"""


def test_packages_that_come_after_the_first_look_do_not_corrupt_memory():
    """The night died with `munmap_chunk(): invalid pointer`: the map of seen packages had no room."""
    done = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "whole"), done.stderr


EMPTY = """
from immutable_base.solver.pool import PackagePool
pool = PackagePool([], [], lambda name: None)
assert pool.named("zfs-dkms", ["openzfs"]) == []
pool.reset_considered()
pool.consider([])
assert pool.providing("zfs-dkms") == []
print("whole")
"""


def test_a_repository_without_packages_ends_no_process():
    """libsolv's Python module reads at address 0 when nothing was indexed before the question."""
    done = subprocess.run([sys.executable, "-c", EMPTY], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "whole"), done.stderr


def test_no_other_repository_answers_for_an_empty_one(tmp_path):
    pool = pool_of(tmp_path, {"full": [Rpm("jq")], "empty": []})
    assert pool.named("jq", ["empty"]) == []
    assert [item.name for item in pool.named("jq", ["empty", "full"])] == ["jq"]


def test_no_room_is_an_error_and_not_a_crash():
    pool = PackagePool([], [], lambda _name: None)
    with pytest.raises(ValueError, match="more than"):
        pool.consider([10 * ROOM])


def recorded(folder, rpm):
    """Return a package of a repository as the plan records it."""
    pool = pool_of(folder, {"any": [rpm]})
    return pool.package(pool.named(rpm.name, ["any"])[0])


def test_the_plan_records_a_package_as_its_repository_describes_it(tmp_path):
    """All that is needed to fetch exactly this package, and to refuse another."""
    rpm = Rpm("jq", "1:1.7-2.el10", "noarch", build_time=1_800_000_000, size=1234)
    assert recorded(tmp_path, rpm) == Package(
        name="jq", epoch=1, version="1.7", release="2.el10", arch="noarch", repository="any",
        url="https://repo.example/any/Packages/jq-1.7-2.el10.noarch.rpm", checksum=Checksum.of("sha256", rpm.digest),
        size=1234, build_time=1_800_000_000,
    )  # fmt: skip


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha224"])
def test_a_package_described_by_a_checksum_that_proves_nothing_is_refused_by_name(
    tmp_path, algorithm
):
    with pytest.raises(VerificationError) as caught:
        recorded(tmp_path, Rpm("jq", checksum_type=algorithm))
    assert "repository 'any' describes jq" in caught.value.message
    assert f"{algorithm} is not accepted" in caught.value.message


@pytest.mark.parametrize("algorithm", ["blake2b", ""])
def test_a_package_described_by_a_checksum_that_nobody_knows_is_refused(tmp_path, algorithm):
    """libsolv reads no package of such a repository."""
    rpm = Rpm("jq", checksum="0" * 64, checksum_type=algorithm)
    with pytest.raises(VerificationError, match="the metadata of repository 'any' cannot be read"):
        recorded(tmp_path, rpm)


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_algorithm_and_digest_travel_together_into_the_plan(tmp_path, algorithm):
    rpm = Rpm("jq", checksum_type=algorithm)
    assert recorded(tmp_path, rpm).checksum == Checksum.of(algorithm, rpm.digest)


def test_a_package_that_lies_elsewhere_than_its_metadata_is_fetched_from_there(tmp_path):
    found = recorded(tmp_path, Rpm("jq", xml_base="https://pool.example/x/"))
    assert found.url == "https://pool.example/x/Packages/jq-1-1.x86_64.rpm"
