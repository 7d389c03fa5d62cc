"""The product as a library: what `plan` and `verify` do, and the documents that commands write.

Errors are those of the command line, `ImmutableBaseError` with a message and a hint. Nothing here
prints, changes how signals are handled, or sets up logging; the logger is `immutable_base`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from immutable_base import process
from immutable_base.config.names import selected_variants
from immutable_base.context import load_context
from immutable_base.errors import ImmutableBaseError
from immutable_base.model.build import ImageBuild, ImageLayout, ModuleBuild
from immutable_base.model.check import CheckReport
from immutable_base.model.facts import ImageFacts
from immutable_base.model.instance import (
    InstanceBuild,
    InstanceDecision,
    InstanceFacts,
    InstanceReport,
    InstanceResult,
)
from immutable_base.model.online import OnlineReport
from immutable_base.model.plan import Plan, VariantPlan, Verdict
from immutable_base.model.plan_diff import PlanDiff
from immutable_base.model.prune import PrunePlan, PruneReport
from immutable_base.model.publish import Publication
from immutable_base.model.run import RunReport
from immutable_base.model.runner import RunnerReport
from immutable_base.model.sbom import SbomRecord
from immutable_base.model.stage import Failure, StageReport
from immutable_base.model.verify import VerificationReport
from immutable_base.plan.diff import diff_plans
from immutable_base.plan.load import load_plan
from immutable_base.plan.make import make_plan
from immutable_base.report.verify_document import verification_report
from immutable_base.solver.order import EvrOrder
from immutable_base.state import default_workspace
from immutable_base.verification.deadline import SECONDS
from immutable_base.verify_reference import prove

__all__ = [
    "CheckReport",
    "Failure",
    "ImageBuild",
    "ImageFacts",
    "ImageLayout",
    "ImmutableBaseError",
    "InstanceBuild",
    "InstanceDecision",
    "InstanceFacts",
    "InstanceReport",
    "InstanceResult",
    "ModuleBuild",
    "OnlineReport",
    "Plan",
    "PlanDiff",
    "PrunePlan",
    "PruneReport",
    "Publication",
    "RunReport",
    "RunnerReport",
    "SbomRecord",
    "StageReport",
    "VariantPlan",
    "Verdict",
    "VerificationReport",
    "diff",
    "load_plan",
    "plan",
    "verify",
]


def plan(
    config: Path | str, variants: Iterable[str] = (), *, workspace: Path | str | None = None
) -> Plan:
    """Decide on kernels, modules and packages of these variants, of all when none is named.

    `config` is an immutable-base.toml with its `layers/` beside it. As root, base images that are
    not known yet are mounted for a moment. A variant that cannot be planned has the verdict `fail`
    and the reason.

    Raises ConfigurationError if the configuration cannot be used or has no such variant, HostError
    if this host lacks something.
    """
    context = load_context(Path(config), _workspace(workspace), process.run)
    # A single name is a mistake that is easily made, and its letters are no variants.
    names = (variants,) if isinstance(variants, str) else tuple(variants)
    wanted = selected_variants(context.settings, names)
    with context.open_plan_inputs() as inputs:
        return make_plan(inputs, wanted)


def diff(before: Plan, after: Plan) -> PlanDiff:
    """Return what `after` changes: variants, verdicts, base images, kernels, modules, packages."""
    return diff_plans(before, after, EvrOrder())


def verify(  # noqa: PLR0913  one question, and what narrows it
    reference: str,
    config: Path | str | None = None,
    *,
    identity: str | None = None,
    issuer: str | None = None,
    signed_as: str | None = None,
    not_before: int | None = None,
    timeout: float = SECONDS,
) -> VerificationReport:
    """Verify signature and SBOM attestation of an image, and return what was proven.

    `reference` is `registry/path:tag`, `registry/path@sha256:...` or a variant of the
    configuration. `identity` and `issuer` must have signed; they default to the configuration's,
    and without one both are needed. `signed_as` is the repository that the signature names, where
    `reference` is a copy elsewhere. An image that was signed before `not_before`, in seconds since
    1970, is refused. Nothing is written, no program is started, and nothing takes longer than
    `timeout` seconds.

    Raises VerificationError in the kind that says what is wrong, ConfigurationError if the
    arguments or the configuration cannot be used, RemoteError if nothing can be known.
    """
    path = Path(config).resolve() if config is not None else None
    verified = prove(
        reference,
        path,
        identity=identity,
        issuer=issuer,
        signed_as=signed_as,
        not_before=not_before,
        timeout=timeout,
    )
    return verification_report(verified, configuration=path)


def _workspace(folder: Path | str | None) -> Path:
    return Path(folder).resolve() if folder is not None else default_workspace()
