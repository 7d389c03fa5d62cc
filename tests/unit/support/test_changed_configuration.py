"""The configuration of the run that the lab's tests share differs in what it should, and in nothing else."""

import tomllib

import pytest

from support.changed_configuration import NO_BOOTS, ONE_KERNEL, change_configuration
from support.lab_configuration import flat
from support.paths import PRODUCT


def test_on_one_kernel_no_kernel_goes_up_and_all_else_is_the_products(tmp_path):
    path = change_configuration(PRODUCT, tmp_path, ONE_KERNEL)
    before, after = (flat(tomllib.loads(it.read_text())) for it in (PRODUCT, path))
    assert {key for key in before if before[key] != after.get(key)} == {"kernel.allow_up"}
    assert after.keys() == before.keys()
    assert after["kernel.allow_up"] is False
    assert (tmp_path / "layers/base/Containerfile").is_file()


def test_a_text_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(AssertionError, match="allow_sideways"):
        change_configuration(PRODUCT, tmp_path, ("allow_sideways", "x"))
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_being_read_stays_whole(tmp_path):
    path = change_configuration(PRODUCT, tmp_path, ONE_KERNEL)
    with path.open() as reader:
        before = (tmp_path / "layers").lstat().st_ino
        change_configuration(PRODUCT, tmp_path, NO_BOOTS)
        assert "allow_up = false" in reader.read()
    assert 'policy = "off"' in path.read_text()
    assert (tmp_path / "layers").lstat().st_ino == before, "it was never away"
