"""A full disk is the host's fault with exit code 4, whichever program runs into it."""

import contextlib
import logging
from pathlib import Path

import pytest

from immutable_base.errors import CommandError, HostError, is_out_of_space
from immutable_base.log import log_to_file
from immutable_base.process import Command, run
from immutable_base.tools import buildah

GO = "Error: writing blob: storing blob to file: write /w/storage/x: no space left on device"
PYTHON = "OSError: [Errno 28] No space left on device"
DNF = "Error Summary\nDisk Requirements:\n   At least 20MB more space needed on the / filesystem."

RPM = "error: sqlite failure: INSERT INTO 'Packages': database or disk is full"
OSTREE = (
    "error: Importing: min-free-space-percent '3%' would be exceeded, at least 13.1 kB requested"
)


@pytest.mark.parametrize("output", [GO, PYTHON, DNF, RPM, OSTREE])
def test_each_programs_way_to_say_so_is_known(output):
    assert is_out_of_space(output)


@pytest.mark.parametrize(
    "output", ["", "disk quota", "no such device", "space left on device: 3 GB"]
)
def test_nothing_else_is_taken_for_it(output):
    assert not is_out_of_space(output)


@pytest.mark.parametrize("stream", [1, 2])
def test_a_program_that_fails_on_a_full_disk_is_a_failure_of_the_host(stream):
    script = f"echo '{GO}' >&{stream}; exit 125"
    with pytest.raises(HostError) as caught:
        run(Command(argv=("sh", "-c", script), timeout=20))
    assert caught.value.exit_code == 4
    assert "the disk is full" in caught.value.message
    assert GO in caught.value.details
    assert "--workspace" in caught.value.hint


def test_a_program_that_succeeds_may_speak_of_full_disks():
    assert run(Command(argv=("sh", "-c", f"echo '{GO}'"), timeout=20)).status == 0


def build(tmp_path, log):
    def fail(command):
        [log_file] = [a.partition("=")[2] for a in command.argv if a.startswith("--logfile=")]
        Path(log_file).write_text(log)
        raise CommandError("`buildah build` exited with status 1", details="exit status 1")

    storage = buildah.Storage(run=fail, root=tmp_path / "storage")
    request = buildah.BuildRequest(
        containerfile=tmp_path / "Containerfile", folder=tmp_path, tag="localhost/x:built", epoch=1,
        log_file=tmp_path / "build.log",
    )  # fmt: skip
    buildah.build(storage, request)


def test_a_step_that_fails_on_a_full_disk_is_a_failure_of_the_host(tmp_path):
    """buildah itself says only that a step failed: the reason is in the log."""
    with pytest.raises(HostError) as caught:
        build(tmp_path, f"installing\n{DNF}\n")
    assert "the build of localhost/x:built failed: the disk is full" in caught.value.message
    assert "20MB more space" in caught.value.details


def test_a_step_that_fails_otherwise_is_a_failure_of_the_build(tmp_path):
    with pytest.raises(CommandError) as caught:
        build(tmp_path, "make: *** Error 2\n")
    assert caught.value.exit_code == 5
    assert "make: *** Error 2" in caught.value.details
    assert str(tmp_path / "build.log") in caught.value.hint


def test_a_log_that_cannot_be_written_is_no_traceback_for_each_line(capfd):
    """What fills the disk is told once, by what needs the space; /dev/full is full all the time."""
    root = logging.getLogger("immutable_base")
    before, raising = list(root.handlers), logging.raiseExceptions
    try:
        log_to_file(Path("/dev/full"))
        logging.getLogger("immutable_base.x").warning("a line")
    finally:
        for handler in set(root.handlers) - set(before):
            root.removeHandler(handler)
            with contextlib.suppress(OSError):
                handler.close()
        logging.raiseExceptions = raising
    assert "Traceback" not in capfd.readouterr().err
