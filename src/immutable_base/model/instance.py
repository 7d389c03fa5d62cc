"""instance/*.json: what is decided, built and published of an instance, a repository downstream."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from immutable_base.model.advisory import FixedAdvisory, OpenAdvisory
from immutable_base.model.document import (
    Count,
    Digest,
    Frozen,
    Sha256,
    StageDocument,
    Text,
)
from immutable_base.model.facts import ImageFacts, ModuleFact
from immutable_base.model.plan_diff import VersionChange
from immutable_base.model.publish import Tag


class InstanceOutcome(StrEnum):
    """What is decided. None of them is an error."""

    REBUILD = "rebuild"
    UNCHANGED = "unchanged"
    """Nothing speaks for a new image: the published one stays."""
    WAIT = "wait"
    """The base has no image that could be built on: the published one stays."""


class DecisionRule(StrEnum):
    """What speaks for a decision."""

    PUSH = "push"
    FORCED = "forced"
    NEVER_PUBLISHED = "never-published"
    UNFINISHED = "unfinished"
    BASE = "base"
    FILES = "files"
    AGE = "age"
    ADVISORY = "advisory"
    """An update with a security advisory is offered."""
    ADVISORIES_UNKNOWN = "advisories-unknown"
    """A repository that may offer one cannot be asked."""
    BASE_ON_HOLD = "base-on-hold"
    NOTHING = "nothing"


class Reason(Frozen):
    """One thing that speaks for a decision."""

    rule: DecisionRule
    message: Text
    """One sentence."""
    evidence: tuple[str, ...] = ()
    """What it is concluded from, one line each."""


class BaseEvidence(Frozen):
    """The base image, whose signature and SBOM attestation were verified."""

    reference: Text
    """As the Containerfile or the configuration names it."""
    repository: Text
    digest: Digest
    variant: str
    """Label `org.opencontainers.image.title`; empty if it has none."""
    created: Count
    """Seconds since 1970, by the image's own words."""
    signer: Text
    issuer: Text
    signed_at: Count
    """Seconds since 1970, by the transparency log."""
    log_index: Count

    @property
    def pinned(self) -> str:
        """`repository@sha256:...`."""
        return f"{self.repository}@{self.digest}"


class PublishedEvidence(Frozen):
    """The instance's published image, verified with the instance's own identity."""

    digest: Digest
    base_digest: str
    """Label `org.opencontainers.image.base.digest`; empty if it has none."""
    revision: str
    """Label `org.opencontainers.image.revision`: the commit that it was built from."""
    signed_at: Count
    """Seconds since 1970, by the transparency log."""
    tags: dict[str, Digest | None]
    """What each tag names that a publication moves; null for one that is not there."""
    sbom_sha256: Sha256
    """Of instance/published.cdx.json, the SBOM that is attested to it."""
    base_name: str = ""
    """Label `org.opencontainers.image.base.name`; empty if it has none."""
    base_signed_at: Count | None = None
    """Seconds since 1970: when its base was signed, by that SBOM; null if it does not say."""


class InstanceDecision(StageDocument):
    """The document instance/decision.json, on which everything after rests."""

    name: Text
    outcome: InstanceOutcome
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...] = ()
    """What somebody should know, but speaks neither for nor against a new image."""
    repository: Text
    """That the instance is published to, without a tag."""
    source: str
    """Label `org.opencontainers.image.source`: the project's URL; empty outside GitLab."""
    commit: Text
    commit_time: Count
    """Seconds since 1970."""
    base: BaseEvidence | None
    """Null: there is none to build on."""
    published: PublishedEvidence | None
    """Null: nothing is published that can be verified."""
    advisories: tuple[OpenAdvisory, ...] | None = None
    """Those that are open in the published image, the base's included; null: none was asked for, or
    not every repository could be."""
    epoch: Count
    """Seconds since 1970: when the newer of base image and commit was made."""


class InstanceBuild(StageDocument):
    """The document instance/build.json: an image, and its OCI layout instance/oci."""

    variant: Text
    """The instance's name."""
    image_id: Sha256
    """SHA-256 of the image's configuration."""
    digest: Digest
    """`sha256:...` of the manifest, as a registry will have it."""
    size: Count
    """Bytes of layers and configuration."""
    candidate: Text | None = None
    """`repository@sha256:...` from which a machine without the layout fetches it; null: nowhere."""
    base: Text
    """`repository@sha256:...`"""
    commit: Text
    labels: dict[str, str]
    """Those that the build sets."""
    buildah: str
    """Version of the program that built it."""
    seconds: float


class PolicyFact(Frozen):
    """Whose images a host accepts: the text of a policy.json, by where it lies below the root."""

    path: str
    text: str


class BasePromises(Frozen):
    """What the base image says of itself, asked in the same way as the instance."""

    kernels: tuple[str, ...]
    """Folders of /usr/lib/modules that hold a vmlinuz."""
    modules: tuple[ModuleFact, ...]
    policies: tuple[PolicyFact, ...]


class InstanceFacts(StageDocument):
    """The document instance/inspect.json: what was read from the image; nothing is promised."""

    variant: Text
    """The instance's name."""
    image_id: Sha256
    facts: ImageFacts
    policies: tuple[PolicyFact, ...]
    promises: BasePromises


class InstanceResult(Frozen):
    """The document that a command prints which has done its part, or had nothing to do."""

    schema_version: Literal[1] = 1
    stage: Text
    outcome: Literal["done", "unchanged", "wait"]
    """`unchanged` and `wait` are the decision's: then nothing was done."""
    message: str
    documents: str
    """Folder in which the documents are."""


class InstanceChanges(Frozen):
    """What is different in the new image, compared with the last one that was published."""

    kernel: tuple[str, str] | None
    """What `uname -r` prints before and after; null if it is the same."""
    modules: tuple[VersionChange, ...]
    packages: tuple[VersionChange, ...]
    fixed: tuple[FixedAdvisory, ...] | None = None
    """Security advisories that are not open any more; null: not known."""


class InstanceReport(Frozen):
    """The document instance/report.json: how a pipeline ended for an instance."""

    schema_version: Literal[1] = 1
    name: Text
    outcome: Literal["published", "unchanged", "wait", "failed", "built"]
    """`built`: not published, as in a merge request."""
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]
    commit: str
    """Empty: nothing was decided."""
    base: str | None
    """`repository@sha256:...`"""
    image: str | None
    """`repository@sha256:...` of the new image."""
    tags: tuple[Tag, ...]
    signer: str | None
    packages: Count
    size: Count
    findings: tuple[str, ...]
    """What checks object to or note, one line each."""
    changes: InstanceChanges | None
    """Null: there is no earlier image to compare with, or no new one."""
    error: str | None
    """The whole error: sentence, program's output, next step."""
    exit_code: int
    """0, or the class of the error; see docs/reference/exit-codes.md."""
