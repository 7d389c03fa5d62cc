"""A run in separate commands, each in a workspace of its own, as separate machines would make it.

What travels between them is documents, kmod packages and OCI layouts, and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

DOCUMENTS = ("plan.json", "modules", "build", "oci", "inspect", "check", "sbom", "boot")


@dataclass
class Machine:
    """A workspace of its own; it has what was carried there, and an empty storage."""

    lab: object
    workspace: Path

    @property
    def folder(self) -> Path:
        return self.workspace / "tonight"

    def carry(self, other: Path, *names: str) -> None:
        """Copy documents, packages or layouts from another machine's folder; links save space."""
        for name in names:
            source, target = other / name, self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)
            else:
                shutil.copy(source, target)

    def replace(self, name: str, content: bytes) -> None:
        """Change a file of this machine alone, though it may be a link to another's."""
        (self.folder / name).unlink()
        (self.folder / name).write_bytes(content)

    def does(self, stage: str, *words: str, code: int = 0) -> dict:
        """Run one command and return its report."""
        done = self.lab.product(stage, "--format", "json", *words, workspace=self.workspace)
        assert done.returncode == code, done.stderr[-3000:] + done.stdout[-3000:]
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout) if done.stdout else {"error": done.stderr}


@dataclass
class Walk:
    """The machines on the way from a plan to published images, each started when it is asked for."""

    folder: Path
    lab: object
    night: object
    """The run whose digests the way must end in; its kmod packages travel too."""
    variants: list[str]
    signed_alone: str
    """A variant that is signed and attested by their own commands."""
    compiled: tuple[str, str] | None = None
    """A module that is compiled again by its own command, and a variant that has it."""
    reads_elsewhere: bool = False
    """Images are read on another machine than the one that built them, from their layouts."""

    def machine(self, name: str) -> Machine:
        """Return a machine that has no document yet; base images may be there from an earlier walk."""
        found = Machine(self.lab, self.folder / name)
        shutil.rmtree(found.folder, ignore_errors=True)
        return found

    @property
    def run(self) -> Path:
        """Folder of the run's documents."""
        return self.night.workspace / "tonight"

    @cached_property
    def planner(self) -> Machine:
        found = self.machine("plan")
        found.does("plan", "--save")
        return found

    @cached_property
    def compiler(self) -> Machine:
        """Compiles one module, by its own command."""
        found = self.machine("modules")
        found.carry(self.planner.folder, "plan.json")
        module, variant = self.compiled
        document = json.loads((found.folder / "plan.json").read_text())
        kernel = next(v["kernel"] for v in document["variants"] if v["name"] == variant)
        found.does("build", "--module", module, "--kernel", kernel["chosen"])
        return found

    @cached_property
    def builder(self) -> Machine:
        """Makes every image, from kmod packages that other machines made."""
        found = self.machine("images")
        found.carry(self.planner.folder, "plan.json")
        found.carry(self.run, "modules")
        if self.compiled:
            for folder in (self.compiler.folder / "modules").iterdir():
                shutil.rmtree(found.folder / "modules" / folder.name)
                found.carry(self.compiler.folder, f"modules/{folder.name}")
        found.does("build", *(word for name in self.variants for word in ("--variant", name)))
        return found

    @cached_property
    def reader(self) -> Machine:
        """Reads and lists the images."""
        found = self.builder
        if self.reads_elsewhere:
            found = self.machine("images-read")
            found.carry(self.builder.folder, "plan.json", "modules", "build", "oci")
        found.does("inspect")
        return found

    @cached_property
    def checker(self) -> Machine:
        """Has documents alone: no image, no layout."""
        found = self.machine("checks")
        found.carry(self.reader.folder, "plan.json", "modules", "build", "inspect")
        found.does("check")
        return found

    @cached_property
    def publisher(self) -> Machine:
        """Signs, attests and publishes; it never had an image."""
        found = self.machine("publish")
        self.reader.does("sbom")
        self.reader.does("boot")
        found.carry(self.reader.folder, *(name for name in DOCUMENTS if name != "check"))
        found.carry(self.checker.folder, "check")
        found.does("sign", "--variant", self.signed_alone)
        found.does("attest", "--variant", self.signed_alone)
        found.does("publish")
        return found
