"""Admissions on file systems of their own, really full and really read-only: nothing by halves."""

import subprocess
import sys

import pytest

from support.paths import ROOT

pytestmark = pytest.mark.apart

PROGRAM = """\
import subprocess, sys
from pathlib import Path
from immutable_base.admission.folder import open_folder
from immutable_base.admission.host_key import host_key
from immutable_base.admission.lookaside import Lookaside
from immutable_base.errors import HostError
from support.admissions import admission
from support.admitting_host import would_take

state, mounted, fault = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
mounted.mkdir(parents=True, exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "none", mounted], check=True)
for folder in (state, state / "lookaside"):
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)


def add(item):
    with open_folder(state) as opened, opened.alone(lambda: 5.0):
        key = host_key(opened)
        with opened.below("lookaside", make=True) as folder:
            Lookaside(folder=folder, key=key).add(item)


def takes(item):
    return would_take(state / "lookaside", state / "host.pub", item.reference, item.digest)


add(admission())
assert takes(admission())
rest = mounted / "rest"
if fault == "full":
    try:
        rest.write_bytes(bytes(1 << 20))
    except OSError:
        pass
else:
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
try:
    add(admission(2))
    raise SystemExit("it was admitted")
except HostError as error:
    print(error)
    print(error.hint)
assert takes(admission()) and not takes(admission(2))
if fault == "full":
    rest.unlink()
else:
    subprocess.run(["mount", "-o", "remount,rw", mounted], check=True)
add(admission(2))
assert takes(admission()) and takes(admission(2))
names = [path.name for path in (state / "lookaside").rglob("*") if path.is_file()]
assert names == ["signature-1"] * 2, names
"""


@pytest.mark.parametrize("below", ["", "lookaside"], ids=["state", "lookaside"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [("full", "No space left on device"), ("read-only", "Read-only file system")],
)
def test_a_file_system_that_takes_nothing_admits_nothing_and_loses_nothing(
    tmp_path, below, fault, words
):
    """In a mount namespace, so that nothing stays mounted; would_take is what skopeo would say."""
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", PROGRAM, state, state / below, fault],
        capture_output=True, text=True, cwd=ROOT / "tests",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert words in done.stdout
    assert "nothing was admitted" in done.stdout
