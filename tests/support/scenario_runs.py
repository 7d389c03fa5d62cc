"""Scenarios of the lab, set up and run as a user does it: by the command line."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.process import run
from immutable_base.tools import cosign
from support.changed_configuration import NO_BOOTS, change_configuration
from support.paths import ROOT

PRODUCT = (sys.executable, "-m", "immutable_base")


@dataclass
class ScenarioRuns:
    """The lab in one state folder, with one scenario after the other set up in it."""

    state: Path
    environment: dict[str, dict[str, str]] = field(default_factory=dict)
    """By the name of each scenario that was set up."""

    def set_up(self, name: str) -> None:
        """Set a scenario up, whatever was set up before."""
        self._lab("scenario", name)
        environment = environment_of(self._lab("env", "--scenario", name).stdout)
        self.environment[name] = for_tests(environment)

    def product(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        """Run the product in a scenario that is set up; output is captured as text."""
        return subprocess.run(
            [*PRODUCT, *arguments],
            cwd=ROOT,
            env=self.environment[name],
            capture_output=True,
            text=True,
            timeout=1200,
        )

    def workspace(self, name: str) -> Path:
        """Return where a scenario's runs leave images and documents."""
        return Path(self.environment[name]["IMMUTABLE_BASE_WORKSPACE"])

    def _lab(self, *arguments: str) -> subprocess.CompletedProcess:
        with taking_turns(self.state):
            done = subprocess.run(
                [*PRODUCT, "lab", *arguments, "--state", str(self.state)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=3600,
            )
        assert done.returncode == 0, done.stderr
        return done


def for_tests(environment: dict[str, str]) -> dict[str, str]:
    """Return a scenario's environment with a copy of its configuration in which nothing is booted.

    A boot takes longer than all the rest of a tiny run: test_boot.py and the night have theirs.
    Another cosign publishes to a place of its own: elsewhere the same images may be signed already.
    """
    configuration = Path(environment["IMMUTABLE_BASE_CONFIG"])
    folder = configuration.parent / "without-boots"
    replacements, place = [NO_BOOTS], environment["IMMUTABLE_BASE_REGISTRY"]
    if other := _other_cosign():
        place += f"-by-cosign-{cosign.version(run, f'{other}/cosign')}"
        replacements += [(f'"{environment["IMMUTABLE_BASE_REGISTRY"]}"', f'"{place}"')]
    path = change_configuration(configuration, folder, *replacements)
    return {**environment, "IMMUTABLE_BASE_CONFIG": str(path), "IMMUTABLE_BASE_REGISTRY": place}


def environment_of(text: str) -> dict[str, str]:
    """Return the environment of a shell that has evaluated what `lab env` printed."""
    lines = (shlex.split(line)[1].split("=", 1) for line in text.splitlines())
    return _with_other_cosign({**os.environ, **dict(lines)})


def _with_other_cosign(env: dict[str, str]) -> dict[str, str]:
    """Let the cosign in the folder $IMMUTABLE_BASE_TEST_COSIGN come before the lab's own."""
    folder = _other_cosign()
    return {**env, "PATH": f"{folder}:{env['PATH']}"} if folder else env


def _other_cosign() -> str | None:
    folder = os.environ.get("IMMUTABLE_BASE_TEST_COSIGN")
    # Otherwise the lab's own would be found, and its results be taken for another's.
    assert not folder or os.access(f"{folder}/cosign", os.X_OK), (
        f"there is no program {folder}/cosign"
    )
    return folder or None


@contextlib.contextmanager
def taking_turns(state: Path) -> Iterator[None]:
    """Wait for other tests: commands of the lab refuse to work on one state at the same time."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def scenario_runs(state: Path) -> Iterator[ScenarioRuns]:
    """Yield the runs of scenarios in a lab that others share: afterwards every service runs."""
    runs = ScenarioRuns(state)
    try:
        yield runs
    finally:
        runs.set_up("tiny")
