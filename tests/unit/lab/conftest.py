"""A lab's keys, made once for all of its tests: those of RSA take longer than the tests."""

import shutil

import pytest

from immutable_base_lab.core import certificates, module_keys
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import signing_key

FOLDERS = ("keys", "module_keys", "rpm_key")


@pytest.fixture(scope="session")
def keys_made_once(tmp_path_factory):
    """Places of a lab that has its keys, and nothing else."""
    paths = LabPaths(root=tmp_path_factory.mktemp("keys") / "lab")
    certificates.ensure_keys(paths.keys)
    module_keys.ensure(paths.module_keys)
    with signing_key(paths.rpm_key):
        pass
    return paths


@pytest.fixture
def with_keys(keys_made_once):
    """Return how to put them into another lab, which then finds them there and makes none."""

    def give(paths: LabPaths) -> LabPaths:
        for name in FOLDERS:
            shutil.copytree(getattr(keys_made_once, name), getattr(paths, name))
        return paths

    return give
