"""What must hold before anything is made of a decision, in whichever job that is."""

from __future__ import annotations

from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.instance.base import base_reference, read_containerfile
from immutable_base.instance.containerfile import FILE
from immutable_base.instance.context import InstanceContext
from immutable_base.model.instance import BaseEvidence, InstanceDecision, InstanceOutcome


def require_base(at: InstanceContext, decision: InstanceDecision) -> BaseEvidence:
    """Return the decided base, if the checkout names it, and signature and SBOM hold now.

    A genuine image of the same signer is another base, too: another variant's, say. Raises
    VerificationError in the kind that says what is wrong.
    """
    base = decision.base
    if base is None or decision.outcome is not InstanceOutcome.REBUILD:
        raise ConfigurationError(f"the decision is {decision.outcome}: nothing is built")
    named = base_reference(at, read_containerfile(at))
    if (str(named), named.repository, named.digest or base.digest) != (
        base.reference, base.repository, base.digest,
    ):  # fmt: skip
        raise VerificationError(
            f"the decision is about {base.pinned}, another base than the {FILE}'s, {named}",
            hint="was it changed, or the checkout? decide again: "
            "`immutable-base instance detect-changes`",
        )
    at.base_verifier().verify(base.repository, base.digest)
    return base


def require_own(at: InstanceContext, decision: InstanceDecision) -> None:
    """Require that a decision is about this instance, and not another's.

    Raises VerificationError if it names another repository.
    """
    if decision.repository != at.repository:
        raise VerificationError(
            f"the decision is about {decision.repository}, this instance is {at.repository}",
            hint="was it changed, or is it of another project? decide again: "
            "`immutable-base instance detect-changes`",
        )
