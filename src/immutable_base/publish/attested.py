"""What is attested to an image: its SBOM, and its provenance."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from immutable_base.errors import VerificationError
from immutable_base.provenance.job import job_of
from immutable_base.provenance.record import predicate_of
from immutable_base.publish.overtaken import pipeline_began
from immutable_base.publish.publisher import Publisher
from immutable_base.publish.request import PublishRequest
from immutable_base.sign import decode_claims
from immutable_base.tools import cosign
from immutable_base.verification.attestation import PROVENANCE
from immutable_base.verify import VerifiedImage
from immutable_base.workspace import write_atomically


def attest_sbom(publisher: Publisher, request: PublishRequest, token: str) -> None:
    """Attest the SBOM; raises as `cosign.attest`."""
    cosign.attest(
        publisher.run, request.pinned, cosign.SBOM, request.sbom, publisher.sigstore, token
    )


def attest_provenance(publisher: Publisher, request: PublishRequest, token: str) -> None:
    """State how the image was built, as the job that holds the token; raises as `cosign.attest`."""
    job = job_of(decode_claims(token), began=pipeline_began(os.environ), now=time.time())
    write_provenance(request, predicate_of(request.record, job))
    cosign.attest(
        publisher.run, request.pinned, PROVENANCE, request.provenance, publisher.sigstore, token
    )


def write_provenance(request: PublishRequest, predicate: dict[str, Any]) -> None:
    """Write down the provenance that is attested."""
    request.provenance.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(request.provenance, json.dumps(predicate, indent=2) + "\n")


def is_attested(verified: VerifiedImage, request: PublishRequest) -> bool:
    """Tell whether what is attested is this SBOM, and a provenance of this build.

    Which run has stated it is no matter: that one has built the same.
    """
    return verified.has_sbom(request.read_sbom()) and request.record.is_of(verified.provenance)


def require_attested(verified: VerifiedImage, request: PublishRequest) -> None:
    """Require that what was attested just now is what the registry has as the newest.

    Raises VerificationError.
    """
    if not verified.has_sbom(request.read_sbom()):
        raise VerificationError(f"the SBOM attested for {request.pinned} is not ours")
    if verified.provenance.document != json.loads(request.provenance.read_text()):
        raise VerificationError(f"the provenance attested for {request.pinned} is not ours")
