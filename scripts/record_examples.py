"""Record what each command prints, in the lab's tiny scenario, for docs/reference/commands.md.

    scripts/record_examples.py [COMMAND ...]

as root, writes docs/reference/examples/, or the examples of some commands only, and the page that
has them. The lab is the one below $XDG_STATE_HOME.

It brings the scenario up, runs each command as its example shows it, and keeps standard output.
Stages need what those before them leave: they run too, and are not recorded unless they are named.
What is of this machine alone (folders, ports, the length of a run) stays as it was printed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from immutable_base.state import state_folder
from immutable_base_lab.core.paths import LabPaths, default_state
from immutable_base_lab.debian.image import push_debian_image

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference" / "examples"
PRODUCT = (sys.executable, "-m", "immutable_base")
WORKSPACE = Path("/var/tmp/immutable-base")  # noqa: S108  what a reader sees, and nobody else's
LONGEST = 60
"""Lines of an example; what is longer is cut, and says so."""
EXAMPLES = {
    "init": ["init /var/tmp/immutable-base/machines"],
    "plan": ["plan", "plan --explain tiny-metronome", "plan --save"],
    "build": ["build --module metronome", "build --variant tiny-metronome", "build"],
    "inspect": ["inspect"],
    "check": ["check"],
    "sbom": ["sbom"],
    "boot": ["boot"],
    "sign": ["sign --variant tiny"],
    "attest": ["attest --variant tiny"],
    "publish": ["publish"],
    "report": ["report", "report --format markdown"],
    "run": ["run --variant tiny"],
    "verify": ["verify tiny-metronome:latest"],
    "policy": ["policy render --commands", "policy rotate"],
    "keys": ["keys list"],
    "trust": ["trust show"],
    "doctor": ["doctor --online"],
    "ci": ["ci"],
    "ci-image": [
        "ci-image build --base $DEBIAN",
        "ci-image check",
        "ci-image sbom",
        "ci-image publish",
    ],
    "instance": [
        (
            "instance init /var/tmp/immutable-base/nas --base tiny-metronome "
            "--registry $IMMUTABLE_BASE_REGISTRY"
        ),
        "instance doctor /var/tmp/immutable-base/nas",
    ],
    "registry": ["registry prune --plan"],
    "tools": ["tools cosign"],
    "lab": ["lab scenario list", "lab status"],
}
"""Command to the command lines that show it, in the order in which they can be run.

$DEBIAN is the lab's own: the program that is recorded pushes it.
"""
STAGES = {
    "plan", "build", "inspect", "check", "sbom", "boot", "sign", "attest", "publish", "report",
}  # fmt: skip
"""Commands that need the documents of those before them."""


class CommandFailedError(Exception):
    """A command of an example did not end with 0: its example stays as it was."""


def main() -> int:
    """Record every example, or those of the commands that are named."""
    wanted = sys.argv[1:] or list(EXAMPLES)
    if unknown := sorted(set(wanted) - EXAMPLES.keys()):
        raise SystemExit(f"no examples of {', '.join(unknown)}; known: {', '.join(EXAMPLES)}")
    shutil.rmtree(WORKSPACE, ignore_errors=True)
    _run("lab scenario tiny", dict(os.environ))
    env = _environment()
    FOLDER.mkdir(exist_ok=True)
    failed: list[str] = []
    for command, lines in EXAMPLES.items():
        if command not in wanted and not (command in STAGES and STAGES & set(wanted)):
            continue
        try:
            shown = [f"$ immutable-base {line}\n{_shortened(_run(line, env))}" for line in lines]
        except CommandFailedError as error:
            failed.append(str(error))
            continue
        if command in wanted:
            (FOLDER / f"{command}.txt").write_text("\n".join(shown))
    shutil.rmtree(WORKSPACE, ignore_errors=True)
    print("\n".join(failed), file=sys.stderr)
    subprocess.run([sys.executable, ROOT / "scripts" / "generate.py"], check=True)
    return 1 if failed else 0


def _environment() -> dict[str, str]:
    """Return what `lab env` exports, with a workspace whose name tells nothing of this machine."""
    script = 'eval "$("$@" lab env --scenario tiny)" && env -0'
    done = subprocess.run(
        ["bash", "-c", script, "sh", *PRODUCT],  # noqa: S607  whichever bash this machine has
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    env = dict(item.partition("=")[::2] for item in done.stdout.split("\0") if item)
    registry = env["IMMUTABLE_BASE_REGISTRY"].partition("/")[0]
    debian = push_debian_image(LabPaths(root=default_state()), registry, env)
    own = {"IMMUTABLE_BASE_WORKSPACE": str(WORKSPACE), "COLUMNS": "132", "DEBIAN": debian}
    return {**env, **own}


def _run(line: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [*PRODUCT, *(_filled(word, env) for word in shlex.split(line))],
        env=env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandFailedError(f"immutable-base {line}: status {done.returncode}")
    return done.stdout


def _filled(word: str, env: dict[str, str]) -> str:
    """Return a word as a shell would hand it over: a variable of the lab is its value."""
    name = word.removeprefix("$")
    return env[name] if word.startswith("$") else word


def _shortened(text: str) -> str:
    """Return what a reader needs: the state folder as it is by default, and not every line."""
    whole = text.replace(str(state_folder().parent), "~/.local/state").rstrip()
    lines = [line.rstrip() for line in whole.splitlines()]
    more = len(lines) - LONGEST
    return "\n".join([*lines[:LONGEST], *([f"... {more} more lines"] if more > 0 else []), ""])


if __name__ == "__main__":
    sys.exit(main())
