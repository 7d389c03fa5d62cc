"""What others say reaches a terminal as text, and does nothing there."""

import errno
import os

import pytest

from immutable_base.errors import RemoteError, VerificationError, host_error, printable

ACTING = [
    "\x1b[2J",
    "\x9b31m",
    "\x07",
    "\x08\x08",
    "\r",
    "\x00",
    "\x7f",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\u2028",
]


@pytest.mark.parametrize("text", ACTING)
def test_what_acts_on_a_terminal_is_shown_instead(text):
    error = RemoteError(f"a{text}b", details=f"c{text}d", hint=f"e{text}f")
    for part in (str(error), error.message, error.details, error.hint):
        assert text[0] not in part
        assert f"\\x{ord(text[0]):02x}" in part


def test_letters_of_every_language_lines_and_tabs_stay():
    text = "Gr\u00fc\u00dfe\t\u4f60\u597d\n\U0001f600"
    assert printable(text) == text
    assert VerificationError(text).message == text


def test_no_hint_and_no_details_stay_none():
    error = VerificationError("x")
    assert (error.hint, error.details, str(error)) == (None, None, "x")


@pytest.mark.parametrize("number", [errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOSPC])
def test_another_kind_of_file_in_a_place_of_ours_is_an_error_of_this_host(number):
    refused = host_error(OSError(number, os.strerror(number), "/nights/tonight/log"))
    assert refused.exit_code == 4
    assert str(refused).startswith(f"/nights/tonight/log: {os.strerror(number)}")


def test_a_link_that_leads_to_itself_is_an_error_of_this_host(tmp_path):
    """Python before 3.13 raises a RuntimeError of it."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises((RuntimeError, OSError)) as caught:
        loop.resolve(strict=True)
    assert str(loop) in str(host_error(caught.value))
    assert host_error(RuntimeError("a bug")) is None


def test_a_file_of_ours_that_is_not_there_is_a_bug():
    assert host_error(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None
