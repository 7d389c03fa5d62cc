"""boot/<variant>.json: whether an image was started as a machine, and what it said."""

from __future__ import annotations

from enum import StrEnum

from immutable_base.model.check import Finding, Level
from immutable_base.model.document import Count, Digest, Frozen, Sha256, StageDocument, Text


class BootPolicy(StrEnum):
    """What publication demands of a boot."""

    REQUIRED = "required"
    WANTED = "wanted"
    """Published without where this host cannot start machines, and said to be not boot-tested."""
    OFF = "off"


class BootVerdict(StrEnum):
    """How the boot of an image ended."""

    BOOTED = "booted"
    NOT_TESTED = "not boot-tested"
    FAILED = "failed"


class GuestAnswer(Frozen):
    """What a started machine answered to one question."""

    question: Text
    status: Count
    """Exit status of the program that was asked."""
    text: str
    """What it wrote, standard output and error together."""


class Boot(Frozen):
    """One start of a machine, from power on to power off."""

    accelerator: Text
    """QEMU's: `kvm` or `tcg`."""
    seconds: float
    """From the start of QEMU to its end."""
    targets: dict[str, float]
    """systemd's targets, and the seconds of the guest's own clock at which they were reached."""
    console: Text
    """File with what the serial console showed."""
    answers: tuple[GuestAnswer, ...]
    again: str = ""
    """Why the machine was started a second time; empty if the first was enough."""

    def answer(self, question: str) -> GuestAnswer | None:
        """Return the answer to a question, None if there is none."""
        return next((it for it in self.answers if it.question == question), None)


class BootReport(StageDocument):
    """The document boot/<variant>.json."""

    variant: Text
    image_id: Sha256
    digest: Digest
    """Of the image that was installed."""
    verdict: BootVerdict
    reason: str
    """Why it was not tested, or the first finding against it; empty if it booted."""
    findings: tuple[Finding, ...]
    boots: tuple[Boot, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What objects to the image."""
        return tuple(finding for finding in self.findings if finding.level is Level.ERROR)
