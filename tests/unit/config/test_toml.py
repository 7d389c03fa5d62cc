"""What stands where a configuration should be: nothing makes a command wait, or fail without words."""

import os
from pathlib import Path

import pytest

from immutable_base.config.toml import LARGEST, read_toml
from immutable_base.errors import ConfigurationError


def refused(path, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_toml(path)
    assert str(path) in caught.value.message


@pytest.mark.timeout(10)
def test_a_fifo_is_refused_at_once_though_nobody_writes_to_it(tmp_path):
    os.mkfifo(tmp_path / "immutable-base.toml")
    refused(tmp_path / "immutable-base.toml", "is not a regular file")


def test_a_link_to_a_device_is_refused_before_it_is_read(tmp_path):
    link = tmp_path / "immutable-base.toml"
    link.symlink_to("/dev/zero")
    refused(link, "is not a regular file")


def test_a_folder_and_what_is_not_there_are_told(tmp_path):
    refused(tmp_path, "configuration")
    refused(tmp_path / "none.toml", "cannot read the configuration .* No such file")


def test_a_link_to_a_file_is_read(tmp_path):
    (tmp_path / "real.toml").write_text("a = 1\r\n")
    (tmp_path / "link.toml").symlink_to("real.toml")
    assert read_toml(tmp_path / "link.toml") == {"a": 1}


def test_a_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "immutable-base.toml"
    path.write_text("#" * LARGEST)
    assert read_toml(path) == {}
    path.write_text("#" * (LARGEST + 1))
    refused(path, "more than 1 MiB")


@pytest.mark.parametrize(
    "raw", [b"a = " + b"9" * 10_000, b"a = [" * 10_000, b'a = "\xff"', b"a = 2026-02-30", b"="]
)
def test_what_is_not_toml_is_told_in_words(tmp_path: Path, raw):
    path = tmp_path / "immutable-base.toml"
    path.write_bytes(raw)
    refused(path, "is not TOML")
