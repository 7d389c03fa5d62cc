"""One lab and one night for every test that needs them.

The lab's state is $IMMUTABLE_BASE_LAB_STATE, else the product's own default, so that what was
made before is reused. A test that cannot run here fails; nothing is skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from immutable_base.build.graph import image_tag
from immutable_base.process import run
from immutable_base.tools import buildah
from immutable_base_lab import lab as lab_services
from immutable_base_lab.core.paths import LabPaths, default_state
from support.changed_configuration import NO_BOOTS, ONE_KERNEL, change_configuration
from support.paths import ROOT
from support.registry_watch import Registry, Witness
from support.scenario_runs import ScenarioRuns, environment_of, scenario_runs, taking_turns
from support.variants import VARIANTS

SECONDS = 5400
"""For one test with its fixtures: the first one waits for the lab and for the run that all share."""
PRODUCT = (sys.executable, "-m", "immutable_base")
EARLIER_NIGHT = "IMMUTABLE_BASE_TEST_NIGHT"
ROOMS: set[Path] = set()
"""Workspaces of the module whose tests run."""


LAST = "test_lab_down.py"
"""Takes the lab down: after it no test has one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing may hang for ever (a test's own limit comes first), and `LAST` comes last."""
    items.sort(key=lambda item: item.path.name == LAST)
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and not item.get_closest_marker(
            "timeout"
        ):
            item.add_marker(pytest.mark.timeout(SECONDS))


@dataclass
class Lab:
    """The lab that is up, and the product pointed at it as a user does: by `lab env`."""

    state: Path
    env: dict[str, str]
    scratch: Path
    configuration: Path

    def product(
        self, *arguments, timeout=3600, env=None, workspace=None, **kw
    ) -> subprocess.CompletedProcess:
        """Run the product's command line; stdout and stderr are captured as text."""
        full = {**self.env, **(env or {})}
        full["IMMUTABLE_BASE_WORKSPACE"] = str(workspace or self.scratch / "nights")
        return subprocess.run(
            [*PRODUCT, *map(str, arguments)],
            env=full,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            **kw,
        )

    def room(self, name: str) -> Path:
        """Return a workspace that is removed after the module's tests: its images are gigabytes."""
        ROOMS.add(self.scratch / name)
        return self.scratch / name

    def registry(self) -> Registry:
        """Return what anybody can read of the lab's registry; cosign is the one that a user has."""
        return Registry(self.configuration, programs=self.env["PATH"])

    def config_with(self, tmp_path: Path, *replacements: tuple[str, str]) -> Path:
        """Return the path of a copy of the lab's configuration with texts replaced."""
        return change_configuration(self.configuration, tmp_path, *replacements)


@dataclass
class Night:
    """A night that ran: its report, its workspace and what the terminal showed."""

    report: dict
    workspace: Path
    stderr: str
    seconds: float
    witness: Witness | None
    """Watched the registry all along; None for an earlier night."""
    variants: dict = field(init=False)

    def __post_init__(self):
        self.variants = {v["name"]: v for v in self.report["variants"]}


@pytest.fixture(scope="module", autouse=True)
def _disk_given_back(request, tmp_path_factory):
    """Remove what a module's tests wrote: all that they write would not fit on one disk.

    Where one failed it stays, to be looked at.
    """
    folder, failed = tmp_path_factory.getbasetemp(), request.session.testsfailed
    before = set(folder.iterdir())
    yield
    if request.session.testsfailed == failed:
        for path in (set(folder.iterdir()) - before) | ROOMS:
            shutil.rmtree(path, ignore_errors=True)
    ROOMS.clear()


@pytest.fixture(scope="session")
def lab_folder() -> Path:
    """The lab's state folder, for tests that set up what they need of the lab by themselves."""
    return Path(os.environ.get("IMMUTABLE_BASE_LAB_STATE") or default_state())


@pytest.fixture(scope="session")
def lab_state(lab_folder) -> Path:
    """Bring the lab up; it stays up, and its state is kept, for the next run."""
    with taking_turns(lab_folder):
        assert lab_services.Lab(LabPaths(root=lab_folder)).up(ROOT / "immutable-base.toml") == 0
    (lab_folder / "test-scratch").mkdir(exist_ok=True)
    return lab_folder


@pytest.fixture(scope="session")
def lab(lab_state) -> Lab:
    """The lab as `lab up` leaves it: CentOS Stream and Fedora, OpenZFS and NVIDIA."""
    done = subprocess.run(
        [*PRODUCT, "lab", "env", "--state", str(lab_state)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    configuration = lab_state / "immutable-base.toml"
    return Lab(lab_state, environment_of(done.stdout), lab_state / "test-scratch", configuration)


@pytest.fixture(scope="session")
def tiny_lab(lab_folder) -> Lab:
    """The lab pointed at its tiny stream, for all that is not about OpenZFS and NVIDIA."""
    runs = ScenarioRuns(state=lab_folder)
    runs.set_up("tiny")
    env = runs.environment["tiny"]
    configuration = Path(env["IMMUTABLE_BASE_CONFIG"])
    (lab_folder / "test-scratch").mkdir(exist_ok=True)
    return Lab(lab_folder, env, lab_folder / "test-scratch", configuration)


@pytest.fixture(scope="session")
def tiny_night(tiny_lab) -> Night:
    """A run of both variants of the tiny stream, after which both are published."""
    return run_night(tiny_lab, ["tiny", "tiny-metronome"], tiny_lab.scratch / "tiny-nights")


@pytest.fixture(scope="session")
def admission_image(lab_folder) -> tuple[buildah.Storage, str]:
    """The tiny variant with the layer `admission`, built and checked, and published nowhere."""
    with scenario_runs(lab_folder) as runs:
        runs.set_up("admission")
        # Not the scenario's own: a test that runs it would remove the image.
        workspace = lab_folder / "test-scratch" / "admission-image"
        runs.environment["admission"]["IMMUTABLE_BASE_WORKSPACE"] = str(workspace)
        for stage in (("plan", "--save"), ("build",), ("inspect",), ("check",)):
            done = runs.product("admission", *stage, "--variant", "tiny")
            assert done.returncode == 0, done.stderr
    return buildah.Storage(run, workspace / "storage"), image_tag("tiny")


@pytest.fixture(scope="session")
def large_lab(lab) -> Lab:
    """The lab with the configuration of the run that all share: one kernel, OpenZFS compiled once.

    $IMMUTABLE_BASE_BOTH_KERNELS keeps the lab's own, in which kernels go up and down, as an earlier
    run has it; `make soak` has a whole run with it, and test_plan.py plans with it.
    """
    if os.environ.keys() & {EARLIER_NIGHT, "IMMUTABLE_BASE_BOTH_KERNELS"}:
        return lab
    # Six boots without KVM take ten minutes beside a compiler; `make soak` and `make demo` have them,
    # test_boot_large.py has two of them afterwards.
    folder = lab.scratch / "one-kernel"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    configuration = lab.config_with(folder, ONE_KERNEL, NO_BOOTS)
    env = {**lab.env, "IMMUTABLE_BASE_CONFIG": str(configuration)}
    return replace(lab, env=env, configuration=configuration)


@pytest.fixture(scope="session")
def night(large_lab) -> Night:
    """One whole night, all four variants; all image tests share it.

    While working on a test, $IMMUTABLE_BASE_TEST_NIGHT names the workspace of a night to look at,
    which was made with the lab's own configuration.
    """
    earlier = os.environ.get(EARLIER_NIGHT)
    if earlier:
        report = json.loads(Path(earlier, "tonight/run.json").read_text())
        return Night(report, Path(earlier), "", report["seconds"], witness=None)
    return run_night(large_lab, VARIANTS, large_lab.scratch / "nights")


def run_night(lab: Lab, variants: list[str], workspace: Path) -> Night:
    """Run everything while a witness watches the registry."""
    # Signing and attesting take a second: a tag that moved before is seen in between.
    registry = lab.registry()
    with closing(registry.client), Witness(registry, variants, interval=0.5) as witness:
        done = lab.product("run", "--format", "json", workspace=workspace, timeout=5400)
    print(done.stderr, file=sys.stderr)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    return Night(report, workspace, done.stderr, report["seconds"], witness)
