"""run.json: how each variant ended in one run, and how long it took."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from immutable_base.model.boot import BootVerdict
from immutable_base.model.document import Frozen
from immutable_base.model.plan import KernelAction


class VariantOutcome(StrEnum):
    """How a run ended for a variant. There is no other way for it to end."""

    PUBLISHED = "published"
    HELD = "held"
    """Not built: something outside the run has to change first, and the published image stays."""
    FAILED = "failed"


class NodeResult(Frozen):
    """One node of the run's graph."""

    id: str
    title: str
    outcome: Literal["done", "failed", "skipped"]
    """`skipped`: something that it needs failed."""
    seconds: float
    log: str
    """File with the output of its programs."""


class VariantResult(Frozen):
    """How one variant ended."""

    name: str
    outcome: VariantOutcome
    unchanged: bool
    """The image was published already: tags did not move, hosts download nothing."""
    kernel: str | None
    action: KernelAction | None
    reason: str
    """One line: why this kernel, or why not published."""
    warnings: tuple[str, ...] = ()
    """The plan's: no obstacle yet, but somebody should know."""
    modules: tuple[str, ...]
    """`name version`."""
    modules_signed: str = ""
    """`unsigned`, or `signed by` whom; empty without modules."""
    packages: int
    """Packages in the image's rpmdb; 0 when there is no image."""
    size: int
    """Bytes that a host downloads for the whole image; 0 when there is none."""
    sbom_size: int
    """Bytes of its SBOM, all of which go through the transparency log; 0 when there is none."""
    boot: BootVerdict | None = None
    """How the boot of its image ended; null when it came to none."""
    boot_seconds: float = 0
    """Of all its boots together."""
    reference: str | None
    """`repository@sha256:...`"""
    tags: tuple[str, ...]
    difference: str | None = None
    """File that lists what differs from the last run's image, though the plan is the same."""
    signer: str | None
    """Identity in the certificate, as verified."""
    seconds: float
    """Sum over the nodes that only this variant needed."""
    error: str | None
    """The whole error: sentence, program's output, next step."""
    exit_code: int
    """0, or the class of the error; see docs/reference/exit-codes.md."""


class RunReport(Frozen):
    """The document run.json."""

    schema_version: Literal[1] = 1
    started: str
    """UTC, ISO 8601."""
    seconds: float
    documents: str
    """Folder with plan.json, run.json, SBOMs and logs."""
    variants: tuple[VariantResult, ...]
    nodes: tuple[NodeResult, ...]

    @property
    def exit_code(self) -> int:
        """The worst variant's; a held variant counts as 0."""
        return max((variant.exit_code for variant in self.variants), default=0)

    @property
    def held(self) -> bool:
        """Whether a variant is held."""
        return any(variant.outcome is VariantOutcome.HELD for variant in self.variants)
