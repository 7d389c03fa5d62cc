"""Runs that stop at an exact point of a publication, to be killed there.

`skopeo` and `cosign` are wrapped by a program that stands first on PATH: it runs the real one, and
when that has done what a variant's point names, it leaves a mark and waits for its end.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

WRAPPER = """\
#!{python}
import json, pathlib, re, subprocess, sys, time

folder = pathlib.Path({folder!r})
arguments = sys.argv[1:]
status = subprocess.run([{real!r}, *arguments]).returncode
if status:
    sys.exit(status)
operand = arguments[-1].removeprefix("docker://")
match = re.search(r"/([a-z0-9-]+)([@:])[^/]*$", operand)
step = arguments[0]
if step == "copy":
    step = "push" if any(a.startswith("oci:") for a in arguments) else "tag"
if match and step in ("push", "sign", "attest", "tag"):
    variant = match.group(1)
    done = folder / (variant + ".done")
    with done.open("a") as file:
        file.write(json.dumps([step, operand]) + "\\n")
    steps = [json.loads(line)[0] for line in done.read_text().splitlines()]
    name, _, count = json.loads((folder / "points.json").read_text()).get(variant, "").partition(" ")
    if step == name and steps.count(step) == int(count or 1):
        (folder / (variant + ".stopped")).touch()
        time.sleep(3600)
"""


class StoppingPrograms:
    """Wrapped programs in a folder; `points` is {variant: "sign", or with a number "push 2"}."""

    def __init__(self, folder: Path, path: str, points: dict[str, str]):
        self.folder, self.points = folder, points
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        (folder / "points.json").write_text(json.dumps(points))
        for name in ("skopeo", "cosign"):
            real = shutil.which(name, path=path)
            assert real, f"no {name} on {path}"
            program = self.bin / name
            program.write_text(WRAPPER.format(python=sys.executable, folder=str(folder), real=real))
            program.chmod(0o755)
        self.path = f"{self.bin}:{path}"

    def steps(self, variant: str) -> list[tuple[str, str]]:
        """Return what was done for a variant: (step, reference)."""
        file = self.folder / f"{variant}.done"
        lines = file.read_text().splitlines() if file.is_file() else []
        return [tuple(json.loads(line)) for line in lines]

    def waiting(self) -> set[str]:
        """Return the variants that have come to their points."""
        return {file.stem for file in self.folder.glob("*.stopped")}

    def wait_for_all(self, process: subprocess.Popen, *, seconds: float) -> None:
        """Wait until every variant is at its point; a run that ends before is an error."""
        deadline = time.monotonic() + seconds
        while self.waiting() != set(self.points):
            missing = sorted(set(self.points) - self.waiting())
            assert process.poll() is None, f"the run ended before {missing} came to their points"
            assert time.monotonic() < deadline, f"{missing} never came to their points"
            time.sleep(0.2)
