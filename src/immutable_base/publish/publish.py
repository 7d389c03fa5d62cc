"""One variant into the registry, in the one order that never shows a host an unsigned image."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from immutable_base.context import Context
from immutable_base.errors import CheckError, VerificationError
from immutable_base.model.plan import VariantPlan
from immutable_base.model.publish import Publication, PublicationStatus, StepTime
from immutable_base.publish.tag_mover import TagMover
from immutable_base.sign import attest_sbom, job_token, sign_image, signer_of, sigstore_of
from immutable_base.tools import skopeo
from immutable_base.verify import NO_CT_LOG, VerifiedImage, Verifier

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _StepClock:
    """How long each step takes."""

    started: float = field(default_factory=time.monotonic)
    steps: list[StepTime] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        log.info("%s", name)
        before = time.monotonic()
        yield
        self.steps.append(StepTime(step=name, seconds=round(time.monotonic() - before, 2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _PublishRequest:
    """An exported image with its SBOM, and where it is to go."""

    repository: str
    digest: str
    layout: Path
    sbom: Path
    document: dict[str, Any]

    @property
    def pinned(self) -> str:
        return f"{self.repository}@{self.digest}"


def repository_of(context: Context, variant: str) -> str:
    """Return the repository that a variant is published to, without a tag."""
    return f"{context.settings.registry.destination}/{variant}"


def publish_variant(
    context: Context,
    *,
    variant_plan: VariantPlan,
    digest: str,
    layout: Path,
    sbom: Path,
    tags: Sequence[str],
) -> Publication:
    """Push by digest, sign, attest, verify both, and only then move the tags.

    Nothing is written if all of that is so already.

    Raises CheckError if `layout` does not hold `digest`, ConfigurationError without a token,
    VerificationError if the signer is not the configured one, RemoteError if a service fails. In
    each case the tags stay where they were.
    """
    request = _PublishRequest(
        repository=repository_of(context, variant_plan.name),
        digest=digest,
        layout=layout,
        sbom=sbom,
        document=json.loads(sbom.read_text()),
    )
    times = _StepClock()
    _require_digest(request)
    verifier = Verifier(run=context.run, sigstore=sigstore_of(context), signer=signer_of(context))
    mover = TagMover(
        run=context.run, environment=context.tls_environment(), repository=request.repository
    )
    with times.step("read what is published"):
        before = mover.read(tags)
        verified = _verified_already(verifier, request)
    unchanged = verified is not None and set(before.values()) == {digest}
    if verified is None:
        verified = _make_verified(context, verifier, request, times)
    with times.step("move the tags"):
        moved = mover.move(before, digest)
    return Publication(
        variant=variant_plan.name,
        status=PublicationStatus.UNCHANGED if unchanged else PublicationStatus.PUBLISHED,
        repository=request.repository,
        digest=digest,
        tags=moved,
        signer=verified.signer.identity,
        issuer=verified.signer.issuer,
        rekor_log_index=verified.log_index,
        sbom_sha256=hashlib.sha256(sbom.read_bytes()).hexdigest(),
        notes=() if verified.sct_checked else (NO_CT_LOG,),
        steps=tuple(times.steps),
        seconds=round(time.monotonic() - times.started, 2),
    )


def _require_digest(request: _PublishRequest) -> None:
    """Refuse a layout that does not hold exactly the image to be published."""
    index = json.loads((request.layout / "index.json").read_text())
    found = [manifest["digest"] for manifest in index["manifests"]]
    if found != [request.digest]:
        raise CheckError(
            f"{request.layout} holds {', '.join(found) or 'no image'}, not {request.digest}",
            hint="build the image again",
        )


def _verified_already(verifier: Verifier, request: _PublishRequest) -> VerifiedImage | None:
    """Return the image as an earlier run published it, None if something is missing."""
    environment = verifier.sigstore.environment
    if skopeo.manifest_digest(verifier.run, request.pinned, environment) is None:
        return None
    try:
        verified = verifier.verify(request.repository, request.digest)
    except VerificationError as error:
        log.info("not published before: %s", error.message)
        return None
    return verified if verified.has_sbom(request.document) else None


def _make_verified(
    context: Context, verifier: Verifier, request: _PublishRequest, times: _StepClock
) -> VerifiedImage:
    # Before anything is written: a wrong token must not leave half a publication behind.
    token = job_token(context)
    with times.step("push by digest"):
        environment = context.tls_environment()
        skopeo.push(context.run, request.layout, request.pinned, environment)
    with times.step("sign"):
        sign_image(context, request.pinned, token)
    with times.step("attest the SBOM"):
        attest_sbom(context, request.pinned, request.sbom, token)
    with times.step("verify signature and SBOM"):
        verified = verifier.verify(request.repository, request.digest)
        if not verified.has_sbom(request.document):
            raise VerificationError(f"the SBOM attested for {request.pinned} is not ours")
    return verified
