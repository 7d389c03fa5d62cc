"""Who publishes in a run: made of its context."""

from __future__ import annotations

from immutable_base.context import Context
from immutable_base.publish.publisher import Publisher
from immutable_base.run.verifier import verifier_of


def publisher_of(context: Context) -> Publisher:
    """Return who publishes, and verifies what was published.

    Raises ConfigurationError if a key file does not exist, or does not hold what it should.
    """
    return Publisher.of(
        context.settings.signing,
        context.config_path.parent,
        verifier=verifier_of(context),
        run=context.run,
        environment=context.tls.environment,
    )
