"""Packed metadata: read as its name says, or refused."""

import pytest

from immutable_base.errors import VerificationError
from immutable_base.repository.compression import readable
from support.rpmmd import PACKERS


@pytest.mark.parametrize("packer", ["xz", "bz2", "zst"])
def test_unpacked_and_cleaned_up(tmp_path, packer):
    path = tmp_path / f"primary.xml.{packer}"
    path.write_bytes(PACKERS[packer](b"<x/>"))
    with readable(path) as plain:
        assert plain.read_bytes() == b"<x/>"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("packer", ["xz", "bz2", "zst", "zip"])
def test_what_is_not_packed_so_is_refused(tmp_path, packer):
    path = tmp_path / f"primary.xml.{packer}"
    path.write_bytes(b"<x/> and more that no decompressor takes")
    with pytest.raises(VerificationError), readable(path):
        pass
    assert list(tmp_path.iterdir()) == [path]
