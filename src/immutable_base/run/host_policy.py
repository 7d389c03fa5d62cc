"""What images of a run say about whose images their hosts take; read, and tried."""

from __future__ import annotations

from immutable_base.context import Context
from immutable_base.errors import VerificationError
from immutable_base.image.program import mounted_image
from immutable_base.inspect.host_policy import read_host_policy
from immutable_base.model.build import ImageLayout
from immutable_base.model.facts import HostPolicyFacts
from immutable_base.model.plan import VariantPlan
from immutable_base.policy.demands import BY_CHOICE, NOT_DEMANDED, variant_demands
from immutable_base.publish.as_host import open_host, require_host_agrees
from immutable_base.run.stages import Stages
from immutable_base.workspace import exclusive


def built_policy(context: Context, name: str) -> HostPolicyFacts:
    """Return what the built image of a variant says, by its files and its skopeo.

    Raises ConfigurationError if no image of it was built here.
    """
    with exclusive(context.workspace):
        return _read(context, context.documents.variant(name))


def _read(context: Context, variant: VariantPlan) -> HostPolicyFacts:
    image = Stages(context=context).local_image(variant)
    with mounted_image(context.storage, image) as mounted:
        return read_host_policy(mounted, context.settings.registry.destination)


def try_policy(context: Context, name: str) -> str:
    """Let the image of a variant fetch itself from the registry, and an unsigned copy.

    It must have been signed, and attested if its hosts have the admission program. Returns what was
    proven; raises VerificationError if its hosts cannot check who signed and nobody says that this
    is meant, and as `require_host_agrees`.
    """
    signing = context.settings.signing
    if not variant_demands(context.settings, name):
        if signing.accept_everything:
            return BY_CHOICE
        raise VerificationError(
            f"a host on {name} would take an unsigned copy", details=NOT_DEMANDED
        )
    variant = context.documents.variant(name)
    image = Stages(context=context).local_image(variant)
    layout = context.documents.read(ImageLayout, variant)
    by_key, by_fleet = signing.keys is not None, signing.fleet is not None
    folder, environment = context.documents.layout(variant), context.tls.environment
    with open_host(context.storage, image, folder, environment) as host:
        require_host_agrees(
            host, context.repository_of(name), layout.digest, by_key=by_key, by_fleet=by_fleet
        )
    return _proven(by_key=by_key, by_fleet=by_fleet)


def _proven(*, by_key: bool, by_fleet: bool) -> str:
    if by_key:
        return "it takes itself by its key, and refuses an unsigned copy"
    if by_fleet:
        return (
            "it refuses an unsigned copy; whether the fleet's machine has admitted it was not asked"
        )
    return (
        "it takes itself once its own program has admitted it, not before, and refuses an unsigned "
        "copy"
    )
