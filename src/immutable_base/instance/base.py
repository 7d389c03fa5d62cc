"""The base image of an instance: which one the repository names, verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from immutable_base.config.references import DEFAULT_TAG, find_reference
from immutable_base.errors import ConfigurationError, NoSuchImageError
from immutable_base.instance.containerfile import FILE, Containerfile, parse_containerfile
from immutable_base.instance.context import InstanceContext
from immutable_base.model.instance import BaseEvidence
from immutable_base.model.reference import Reference
from immutable_base.plan.labels import OCI
from immutable_base.tools import git, skopeo


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBase:
    """The base image, verified, or why there is none."""

    evidence: BaseEvidence | None
    missing: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    sbom: dict[str, Any] = field(default_factory=dict)
    """The newest that is attested to it."""


def read_containerfile(at: InstanceContext) -> Containerfile:
    """Return the Containerfile of the checkout's commit.

    Raises ConfigurationError if there is none, or it cannot be understood.
    """
    text = git.file_at(at.run, at.folder, FILE)
    if text is None:
        here = (at.folder / FILE).exists()
        raise ConfigurationError(
            f"the commit of {at.folder} has no {FILE}",
            hint=f"`git add {FILE}` and commit it"
            if here
            else "`immutable-base instance init DIR --base REF` writes one to begin with",
        )
    return parse_containerfile(text)


def base_reference(at: InstanceContext, file: Containerfile) -> Reference:
    """Return the base that the Containerfile and the configuration name.

    Raises ConfigurationError if they name none, or two, or one without tag and digest.
    """
    root, given = file.root, at.settings.base.reference
    if root.is_open and not given:
        raise ConfigurationError(
            f"{FILE}, line {root.first}: `FROM {root.image}` has an argument without a value, so "
            "the base is not known",
            hint="give the ARG a default, or set [base] reference in immutable-base-instance.toml",
        )
    wanted = find_reference(given, at.product.trust()) if given else None
    named = None if root.is_open else _complete(root.image, root.first)
    if wanted is not None and named is not None and wanted != named:
        raise ConfigurationError(
            f"two bases are named: {wanted} by the configuration, {named} by the {FILE}",
            hint="leave [base] reference out, or name the same image in both",
        )
    found = wanted or named
    if found is None:  # one of them is: see above
        raise ConfigurationError(f"the {FILE} names no base image")
    return found


def _complete(text: str, line: int) -> Reference:
    if "/" not in text:
        raise ConfigurationError(
            f"{FILE}, line {line}: '{text}' does not say which registry",
            hint="write FROM registry/path:tag or registry/path@sha256:...",
        )
    found = find_reference(text, None)
    if found.tag is None and found.digest is None:
        raise ConfigurationError(
            f"{FILE}, line {line}: '{text}' has neither tag nor digest",
            hint=f"write {text}:{DEFAULT_TAG}, or another tag that its project publishes",
        )
    return found


def find_base(at: InstanceContext, reference: Reference) -> FoundBase:
    """Return the verified base, or why it has no image; a digest that is gone is an error."""
    try:
        # Where a digest is named, a tag beside it is for people: it moves on.
        verified = at.base_verifier().verify_reference(
            reference.repository,
            tag=None if reference.digest else reference.tag,
            digest=reference.digest,
        )
    except NoSuchImageError as error:
        if reference.digest:
            raise NoSuchImageError(
                f"the base {reference.repository}@{reference.digest} is gone",
                details=error.message,
                hint=f"name a digest that the registry has, or the tag alone, in {FILE}",
            ) from error
        return FoundBase(evidence=None, missing=error.message)
    labels = skopeo.published_labels(at.run, verified.pinned, at.tls.environment) or {}
    evidence = BaseEvidence(
        reference=str(reference),
        repository=verified.repository,
        digest=verified.digest,
        variant=labels.get(f"{OCI}.title", ""),
        created=skopeo.seconds(verified.proof.created),
        signer=verified.signer.identity,
        issuer=verified.signer.issuer,
        signed_at=verified.proof.signature.signed_at,
        log_index=verified.log_index,
    )
    return FoundBase(evidence=evidence, labels=labels, sbom=verified.proof.sboms[0].document)
