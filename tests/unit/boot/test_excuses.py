"""Errors in a journal are excused one by one, each with its reason."""

import json

import pytest

from immutable_base.boot.excuses import load_excuses, load_module_excuses, unexcused


def entry(identifier, message):
    return json.dumps({"SYSLOG_IDENTIFIER": identifier, "MESSAGE": message})


def test_every_excuse_has_a_reason():
    assert all(len(it.reason) > 10 for it in (*load_excuses(), *load_module_excuses()))


def test_an_excuse_is_for_its_program_and_its_whole_message():
    known = entry("systemd-tmpfiles", '"/root" already exists and is not a directory.')
    assert unexcused(known) == ()
    others = [
        entry("sshd", '"/root" already exists and is not a directory.'),
        entry("systemd-tmpfiles", '"/root" already exists and is not a directory. Also: disaster'),
        entry("kernel", "EXT4-fs error (device vda): bad block"),
    ]
    assert len(unexcused("\n".join(others))) == 3


@pytest.mark.parametrize(
    ("message", "excused"),
    [
        ("i8042: No controller found", True),
        ("ACPI BIOS Error (bug): AE_NOT_FOUND", True),
        ("pci 0000:00:1f.3: BAR 4: failed to assign", True),
        ("[Firmware Bug]: TSC doesn't count with P0 frequency!", False),
        ("zfs: undefined behaviour in arc.c", False),
        ("nvidia: pci 0000:01:00.0: the card has fallen off the bus", False),
        ("BTRFS error (device vda): TPM", False),
        ("pcieporters: not a word of its own", False),
    ],
)
def test_an_excuse_for_pretended_hardware_is_for_the_part_of_the_kernel_that_speaks(
    message, excused
):
    """Not for a word somewhere in what another part says: "undefined" has "efi" in it."""
    assert (unexcused(entry("kernel", message)) == ()) is excused


def test_a_message_of_bytes_and_a_line_that_is_no_json_are_seen():
    assert unexcused(entry("x", list(b"\xffno"))) == ("x: �no",)
    assert unexcused("no json") == ("no json",)
