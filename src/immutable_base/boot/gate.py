"""What a boot means for publication: the policy, and how its result is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from immutable_base.boot.boot_image import BootRequest, boot_image
from immutable_base.errors import CheckError, HostError, VerificationError
from immutable_base.image.program import mounted_image
from immutable_base.model.boot import Boot, BootPolicy, BootReport, BootVerdict
from immutable_base.model.check import Finding, Level
from immutable_base.process import LineSink, Runner
from immutable_base.tools.buildah import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """How the gate ended."""

    verdict: BootVerdict
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    boots: tuple[Boot, ...] = ()


def gate(
    run: Runner,
    storage: Storage,
    request: BootRequest,
    image: Callable[[], str],
    report: LineSink,
) -> GateResult:
    """Boot an image as far as the policy asks; `image` returns its id in our storage.

    An image that does not come up is a result. Raises HostError if this host cannot boot and the
    policy requires it, CommandError if QEMU fails.
    """
    policy = request.settings.policy
    if policy is BootPolicy.OFF:
        return GateResult(verdict=BootVerdict.NOT_TESTED, reason="the configuration says `off`")
    try:
        with mounted_image(storage, image()) as mounted:
            booted = boot_image(run, mounted, request, report)
    except CheckError as error:
        return GateResult(
            verdict=BootVerdict.FAILED, reason=error.message, findings=(_came_up(error),)
        )
    except HostError as error:
        if policy is BootPolicy.REQUIRED:
            raise
        return GateResult(verdict=BootVerdict.NOT_TESTED, reason=error.message)
    wrong = [finding for finding in booted.findings if finding.level is Level.ERROR]
    return GateResult(
        verdict=BootVerdict.FAILED if wrong else BootVerdict.BOOTED,
        reason=f"{wrong[0].title}: {wrong[0].message}" if wrong else "",
        findings=booted.findings,
        boots=booted.boots,
    )


def _came_up(error: CheckError) -> Finding:
    return Finding(
        id="boot-comes-up",
        title="the machine comes up",
        reason="a host that does not is reached by nobody",
        level=Level.ERROR,
        message=error.message,
        evidence=tuple((error.details or "").splitlines()),
    )


def require_booted(report: BootReport, policy: BootPolicy, *, digest: str, hint: str) -> None:
    """Require that the policy lets this image go on.

    Raises CheckError if it did not boot as promised, or not at all; VerificationError if another
    image was booted than this one.
    """
    if report.digest != digest:
        raise VerificationError(
            f"the image that was booted is {report.digest}, not {digest}",
            hint="boot it again: `immutable-base boot`",
        )
    if report.verdict is BootVerdict.FAILED:
        raise CheckError(
            f"the image of {report.variant} does not boot as promised",
            details="\n".join(
                line
                for finding in report.errors
                for line in (f"{finding.title}: {finding.message}", *finding.evidence)
            ),
            hint=hint,
        )
    if report.verdict is BootVerdict.NOT_TESTED and policy is BootPolicy.REQUIRED:
        raise CheckError(
            f"the image of {report.variant} was not booted: {report.reason}",
            hint="`immutable-base boot` boots it; or let `boot.policy` be `wanted`",
        )


def boot_message(report: BootReport) -> str:
    """Return the line that a person reads."""
    if report.verdict is not BootVerdict.BOOTED:
        return f"{report.verdict}: {report.reason}"
    times = ", ".join(f"{boot.seconds:.0f} s ({boot.accelerator})" for boot in report.boots)
    return f"{report.verdict} in {times}"
