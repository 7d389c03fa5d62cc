"""Who verifies in a run, and by whom images must be signed: made of its context.

Not a part of the context: to import what it needs takes longer than many a command that verifies
nothing.
"""

from __future__ import annotations

from functools import partial

from immutable_base.context import Context
from immutable_base.process import is_interrupted
from immutable_base.trusted import roots_of, signer_of
from immutable_base.verify import Verifier, registry_reader


def verifier_of(context: Context) -> Verifier:
    """Return who verifies, and by whom images must be signed.

    Raises ConfigurationError if a key file does not exist, or does not hold what it should.
    """
    signing, folder = context.settings.signing.table(), context.config_path.parent
    return Verifier(
        signer=signer_of(signing),
        roots=roots_of(signing, folder),
        open_reader=context.open_reader or partial(registry_reader, context.tls.authority),
        interrupted=is_interrupted,
    )
