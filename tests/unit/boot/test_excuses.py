"""Errors in a journal are excused one by one, each with its reason."""

import json

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


def test_a_message_of_bytes_and_a_line_that_is_no_json_are_seen():
    assert unexcused(entry("x", list(b"\xffno"))) == ("x: �no",)
    assert unexcused("no json") == ("no json",)
