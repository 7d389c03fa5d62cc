"""What a boot loader would start, read from the entries that ostree writes."""

import pytest

from immutable_base.boot.disk import newest_entry, parse_entry
from immutable_base.errors import CheckError

ENTRY = """title CentOS Stream 10 (ostree:0)
version {version}
options root=/dev/vda rw ostree=/ostree/boot.1/default/{name}/0
linux /ostree/default-{name}/vmlinuz-6.12
initrd /ostree/default-{name}/initramfs-6.12.img
"""


def test_the_entry_of_the_highest_version_is_started(tmp_path):
    for file, version, name in (("ostree-1.conf", 9, "old"), ("ostree-2.conf", 10, "new")):
        (tmp_path / file).write_text(ENTRY.format(version=version, name=name))
    entry = newest_entry(tmp_path)
    assert entry.kernel == "/ostree/default-new/vmlinuz-6.12"
    assert entry.initramfs == "/ostree/default-new/initramfs-6.12.img"
    assert entry.arguments == "root=/dev/vda rw ostree=/ostree/boot.1/default/new/0"


def test_no_entry_is_no_kernel(tmp_path):
    with pytest.raises(CheckError, match="no boot entry"):
        newest_entry(tmp_path)


@pytest.mark.parametrize("missing", ["linux", "initrd", "options"])
def test_an_entry_without_a_part_cannot_be_started(missing):
    text = "\n".join(
        line for line in ENTRY.format(version=1, name="x").splitlines() if missing not in line[:8]
    )
    with pytest.raises(CheckError, match=f"no {missing}"):
        parse_entry(text)
