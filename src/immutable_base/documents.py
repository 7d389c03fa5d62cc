"""The folder in which the stages of a run leave documents for each other, on whichever machine.

Every document names those that it rests on, with their SHA-256. To read one is to require that they
still are what it was made from, down to the plan, and that all of them are about one image: what
was changed on the way, or belongs to another run, is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from immutable_base.document_folder import DocumentFolder
from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.model.boot import BootReport
from immutable_base.model.build import ImageBuild, ImageLayout, ModuleBuild
from immutable_base.model.check import CheckReport
from immutable_base.model.document import StageDocument
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import Plan, VariantPlan
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord, full_sbom_path

PLAN, RUN = "plan.json", "run.json"
BUILDS, LAYOUTS, MODULES = "build", "oci", "modules"
"""Folders of what is known of images, of their OCI layouts, and of the kmod packages."""
FOLDERS: Mapping[type[StageDocument], str] = {
    ImageBuild: BUILDS,
    ImageLayout: LAYOUTS,
    ImageFacts: "inspect",
    CheckReport: "check",
    SbomRecord: "sbom",
    BootReport: "boot",
    Publication: "publish",
}
"""Where the document about each variant is."""
COMMANDS = {
    PLAN: "plan --save",
    MODULES: "build --module",
    LAYOUTS: "build --variant",
    BUILDS: "build --variant",
}
"""What makes a document, by the first part of its name; else the command has the folder's name."""

AnyStage = TypeVar("AnyStage", bound=StageDocument)


def step_name(step: str) -> str:
    """Return a step's id as the name of a file or folder."""
    return step.replace(":", "_").replace("/", "_")


def module_name(step: str) -> str:
    """Return the name of the document about a kmod package, by the id of the step that makes it."""
    return f"{MODULES}/{step_name(step)}/build.json"


def name_of(kind: type[StageDocument], variant: VariantPlan) -> str:
    """Return the name of a document about a variant."""
    return f"{FOLDERS[kind]}/{variant.name}.json"


def foundations(kind: type[StageDocument], variant: VariantPlan) -> tuple[str, ...]:
    """Return the names of what a document about a variant rests on."""
    if kind is ImageBuild:
        return (PLAN, *(module_name(variant.module_id(module)) for module in variant.modules))
    below: dict[type[StageDocument], tuple[type[StageDocument], ...]] = {
        ImageLayout: (ImageBuild,),
        ImageFacts: (ImageBuild,),
        CheckReport: (ImageFacts,),
        SbomRecord: (ImageFacts,),
        BootReport: (ImageLayout, ImageFacts),
        Publication: (ImageLayout, CheckReport, SbomRecord, BootReport),
    }
    return (PLAN, *(name_of(other, variant) for other in below[kind]))


@dataclass(frozen=True, slots=True)
class Documents(DocumentFolder):
    """The documents of one run. What cannot be relied on is an error, by name.

    That is a ConfigurationError if a document is missing, not whole or of another release, and a
    VerificationError if it rests on another document than the one that is here, or is about another
    image.
    """

    def command_of(self, name: str) -> str:
        """Return the command that makes a document."""
        return _command(name)

    def plan(self) -> Plan:
        """Return the plan, on which everything rests."""
        return self.parse(Plan, PLAN)

    def variant(self, name: str) -> VariantPlan:
        """Return what is planned for a variant. Raises ConfigurationError if nothing is."""
        planned = {variant.name: variant for variant in self.plan().variants}
        if name not in planned:
            raise ConfigurationError(
                f"{self.folder / PLAN} plans nothing for '{name}'",
                hint=f"it has: {', '.join(planned)}",
            )
        return planned[name]

    def module(self, step: str, package: str) -> ModuleBuild:
        """Return what a step that compiles a module has made: a package of this file name."""
        name = module_name(step)
        found = self.resting_on(ModuleBuild, name, (PLAN,))
        if (found.id, found.package) != (step, package):
            raise VerificationError(
                f"{self.folder / name} is about {found.package}, not {package}",
                hint=f"make it again: `{_command(name)}`",
            )
        return found

    def package(self, step: str, package: str) -> Path:
        """Return a kmod package whose bytes are those that were built."""
        built = self.module(step, package)
        path = (self.folder / module_name(step)).with_name(package)
        self.require_digest(path, built.sha256)
        return path

    def read(self, kind: type[AnyStage], variant: VariantPlan) -> AnyStage:
        """Return the document of a stage about a variant."""
        if kind is ImageBuild:
            for module in variant.modules:
                self.module(variant.module_id(module), module.kmod.file_name)
        for other, folder in FOLDERS.items():
            if f"{folder}/{variant.name}.json" in foundations(kind, variant):
                self.read(other, variant)
        name = name_of(kind, variant)
        found = self.resting_on(kind, name, foundations(kind, variant))
        about: object = getattr(found, "variant", None)
        if about != variant.name:
            raise VerificationError(
                f"{self.folder / name} is about '{about}', not '{variant.name}'"
            )
        self._require_same_image(found, name, variant)
        return found

    def rests_on(self, kind: type[StageDocument], variant: VariantPlan) -> dict[str, str]:
        """Return the SHA-256 of everything that a new document about a variant rests on."""
        return self.digests(foundations(kind, variant))

    def sbom(self, variant: VariantPlan) -> Path:
        """Return where the SBOM of a variant is."""
        return self.folder / FOLDERS[SbomRecord] / f"{variant.name}.cdx.json"

    def attested(self, variant: VariantPlan) -> Path:
        """Return a variant's SBOM, whose bytes are those that were written about its image.

        So are those of the full one beside it.
        """
        record, document = self.read(SbomRecord, variant), self.sbom(variant)
        self.require_digest(document, record.sha256)
        self.require_digest(full_sbom_path(document), record.full_sha256)
        return document

    def provenance(self, variant: VariantPlan) -> Path:
        """Return where the provenance is written down that is attested to a variant's image."""
        return self.folder / FOLDERS[Publication] / f"{variant.name}.provenance.json"

    def layout(self, variant: VariantPlan) -> Path:
        """Return where the OCI layout of a variant is."""
        return self.folder / LAYOUTS / variant.name

    def boot_folder(self, variant: VariantPlan) -> Path:
        """Return where the consoles of a variant's boots are."""
        return self.folder / FOLDERS[BootReport] / variant.name

    def _require_same_image(self, found: StageDocument, name: str, variant: VariantPlan) -> None:
        image: str | None = getattr(found, "image_id", None)
        if image is None or isinstance(found, ImageBuild):
            return
        built = self.parse(ImageBuild, name_of(ImageBuild, variant)).image_id
        if image != built:
            raise VerificationError(
                f"{self.folder / name} is about the image {image}, but {built} was built",
                hint=f"make it again: `{_command(name)}`",
            )


def _command(name: str) -> str:
    first = name.partition("/")[0]
    return f"immutable-base {COMMANDS.get(first, first)}"
