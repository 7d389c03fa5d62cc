"""libsolv's pool: what its Python module gets wrong must not reach a night."""

import subprocess
import sys

import pytest

from immutable_base.solver.pool import ROOM, PackagePool

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


def test_no_room_is_an_error_and_not_a_crash():
    pool = PackagePool([], [], lambda _name: None)
    with pytest.raises(ValueError, match="more than"):
        pool.consider([10 * ROOM])
