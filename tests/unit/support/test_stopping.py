"""The programs that stop a run at a point: exactly there, and nowhere else."""

import subprocess
import time

import pytest

from support.stopping import StoppingPrograms

PLACE = "127.0.0.1:5000/os"
DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def real(tmp_path):
    """skopeo and cosign that fail if they are told to, and else write what they were asked."""
    folder = tmp_path / "real"
    folder.mkdir()
    for name in ("skopeo", "cosign"):
        (folder / name).write_text(
            f'#!/bin/sh\ncase "$*" in *fail*) exit 3;; esac\necho {name} "$@"\n'
        )
        (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def start(programs, *argv):
    return subprocess.Popen(
        argv, env={"PATH": programs.path}, stdout=subprocess.PIPE, text=True, executable=programs.bin / argv[0]
    )  # fmt: skip


PUSH = ("skopeo", "copy", "oci:/layout", f"docker://{PLACE}/one@{DIGEST}")
SIGN = ("cosign", "sign", "--yes", f"{PLACE}/one@{DIGEST}")


def tag(name):
    return ("skopeo", "copy", f"docker://{PLACE}/one@{DIGEST}", f"docker://{PLACE}/one:{name}")


@pytest.mark.parametrize(
    ("point", "before", "last"),
    [("push", [], PUSH), ("sign", [PUSH], SIGN), ("tag 2", [PUSH, SIGN, tag("a")], tag("b"))],
)
def test_what_comes_before_the_point_runs_through_and_the_point_waits_for_its_end(
    real, tmp_path, point, before, last
):
    programs = StoppingPrograms(tmp_path / "stop", real, {"one": point})
    for argv in before:
        process = start(programs, *argv)
        assert process.communicate(timeout=20)[0].split() == list(argv), "the real one did its work"
        assert process.returncode == 0
        assert programs.waiting() == set()
    process = start(programs, *last)
    try:
        programs.wait_for_all(process, seconds=20)
        assert process.poll() is None
        assert len(programs.steps("one")) == len(before) + 1
    finally:
        process.kill()
        process.communicate()


def test_a_program_that_fails_is_not_at_its_point(real, tmp_path):
    programs = StoppingPrograms(tmp_path / "stop", real, {"fail": "push"})
    process = start(programs, "skopeo", "copy", "oci:/l", f"docker://{PLACE}/fail@{DIGEST}")
    assert process.wait(20) == 3
    process.stdout.close()
    with pytest.raises(AssertionError, match="ended before"):
        programs.wait_for_all(process, seconds=1)


def test_other_variants_and_questions_go_through(real, tmp_path):
    programs = StoppingPrograms(tmp_path / "stop", real, {"other": "push"})
    started = time.monotonic()
    for argv in (PUSH, ("skopeo", "inspect", "--raw", f"docker://{PLACE}/other:latest")):
        process = start(programs, *argv)
        process.communicate(timeout=20)
        assert process.returncode == 0
    assert time.monotonic() - started < 60
    assert programs.waiting() == set()
