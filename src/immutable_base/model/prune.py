"""registry prune --format json: what may go from the registry, and why everything else stays."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from immutable_base.model.document import Count, Digest, Frozen, Text

Day = Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Nights = Annotated[int, Field(ge=1, le=10000)]
Days = Annotated[int, Field(ge=0, le=36500)]


class PruneAction(StrEnum):
    """What becomes of a manifest."""

    KEEP = "keep"
    UNTAG = "untag"
    """It stays, but some of the tags that name it may go."""
    DELETE = "delete"
    """It may go, with every tag that names it."""


class ManifestKind(StrEnum):
    """What a manifest is, by its tags and its content."""

    IMAGE = "image"
    INDEX = "index"
    SIGNATURE = "signature"
    ATTESTATION = "attestation"
    SBOM = "sbom"
    REFERRERS = "referrers"
    """A list of referrers under a tag, where a registry has no referrers API."""
    REFERRER = "referrer"
    """Something with a `subject`: a signature or attestation without a tag of its own, say."""
    UNKNOWN = "unknown"


class PruneItem(Frozen):
    """One manifest."""

    digest: Digest
    kind: ManifestKind
    action: PruneAction
    tags: tuple[str, ...]
    """Every tag that names it, sorted."""
    removed_tags: tuple[str, ...] = ()
    """Of `untag`: the tags that may go."""
    reasons: tuple[Text, ...]
    """Why it stays, or why it may go."""


class RepositoryPrune(Frozen):
    """One repository, with everything that could be found in it."""

    repository: Text
    exists: bool
    """False: the registry has no such repository."""
    items: tuple[PruneItem, ...]


class BaseInUse(Frozen):
    """A digest that images of instances are built on."""

    digest: Digest
    used_by: tuple[Text, ...]


class PrunePlan(Frozen):
    """What `registry prune --plan` decides: the same registry gives the same plan for a day."""

    schema_version: Literal[1] = 1
    as_of: Day
    """The day (UTC) that ages are counted from."""
    nights: Nights
    days: Days
    instances: tuple[Text, ...]
    """Repositories of instances that were asked for what they are built on."""
    bases: tuple[BaseInUse, ...]
    repositories: tuple[RepositoryPrune, ...]


class PruneReport(Frozen):
    """What `registry prune --yes` has done; everything else in the plan was seen to be there."""

    schema_version: Literal[1] = 1
    plan: PrunePlan
    deleted: tuple[Text, ...]
    """`repository@sha256:...`, in this order."""
    untagged: tuple[Text, ...]
    """`repository:tag`."""
    left: tuple[Text, ...]
    """`repository:tag`: they might go, but this registry takes no single tag away."""
    moved: tuple[Text, ...]
    """`repository:tag`: another run has moved it meanwhile."""
    seen: Count
    """Manifests that were to stay, and were read again afterwards."""
