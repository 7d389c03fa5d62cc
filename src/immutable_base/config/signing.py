"""The table `[signing]` of immutable-base.toml: who signs, and the whole trust in an instance."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from immutable_base.config.fleet import Fleet
from immutable_base.config.signing_keys import SigningKeys
from immutable_base.config.trust import NOT_FOR_VERIFYING, SigningTable
from immutable_base.config.types import Identity, Name, ProjectId, SecureUrl, SourceRef, Switch
from immutable_base.model.document import Frozen

SCOPE = r"^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
"""A host with or without a path, as policy.json names it; source: containers-policy.json(5)."""


class Signing(Frozen):
    """Who signs, and how anybody can verify it."""

    # A line break at the end of an identity is a mistake to be told, not to be corrected.
    model_config = ConfigDict(str_strip_whitespace=False)

    certificate_identity: Identity
    """The pipeline that signs: subject of the certificate of every signature."""
    certificate_oidc_issuer: SecureUrl
    """OIDC issuer that vouches for the pipeline's identity."""
    fulcio_url: SecureUrl
    """URL of Fulcio, which issues the certificates."""
    rekor_url: SecureUrl
    """URL of Rekor, the transparency log."""
    sbom_limit_kib: Annotated[int, Field(gt=0)] = 1024
    """Largest SBOM to attest, in KiB: Rekor gets the whole of it. The public instance has refused
    documents of a few MiB since February 2026 and names no limit."""
    fulcio_root: str = ""
    """PEM file with the roots of a private Fulcio, and its intermediates, for cosign 3.1 puts none
    beside a signature; empty: those of `trusted_root`."""
    rekor_key: str = ""
    """PEM file with the key of a private Rekor; needed with `fulcio_root`."""
    ct_log_key: str = ""
    """PEM file with the key of a private CT log; needed with `fulcio_root`, unless
    `without_ct_log`."""
    without_ct_log: Switch = False
    """The private instance has no CT log: certificates need not prove that one has seen them."""
    trusted_root: str = ""
    """A trusted_root.json with all the trust in an instance; empty: the public instance's, as this
    version was made with it or `immutable-base trust update` got it since."""
    project_id: ProjectId = ""
    """GitLab's number of the project, which survives a rename and is not inherited by who takes a
    path that was given up; empty: any."""
    runner_environment: Literal["", "gitlab-hosted", "self-hosted"] = ""
    """Where the job must have run; empty: anywhere."""
    build_triggers: tuple[Name, ...] = ()
    """Sources of pipelines that may sign, e.g. `schedule`; empty: any."""
    source_ref: SourceRef = ""
    """Ref that must have been built, e.g. `refs/heads/main`; empty: any."""
    protected_ref: Switch = False
    """Sign on protected refs only. A certificate does not say it, so verifying cannot ask."""
    keys: SigningKeys | None = None
    """A key beside the keyless identity, for hosts; not set: hosts take an image only after their
    own admission program has verified it, or the machine of `fleet`."""
    fleet: Fleet | None = None
    """One machine admits images, for hosts without an admission program of their own; not with
    `keys`: a host demands one or the other."""
    accept_unsigned: tuple[Annotated[str, Field(pattern=SCOPE)], ...] = ()
    """Registries, namespaces or repositories of others from which hosts take images without any
    signature, e.g. `docker.io/library`; what is not named is refused."""
    accept_everything: Switch = False
    """Hosts that cannot check who signed take whatever the registry has: those of images without
    `keys`, `fleet` and the layer `admission`, which a check refuses otherwise. Not with `keys` or
    `fleet`."""
    leave_behind: tuple[str, ...] = ()
    """What hosts of earlier images take (their label `io.immutable-base.hosts-accept`) that nothing
    published from now on is signed by: these hosts get no upgrade any more."""

    @property
    def host_key_paths(self) -> tuple[str, ...]:
        """The files of the public keys that images bring to their hosts, the current one first."""
        told = self.keys or self.fleet
        return told.key_paths if told else ()

    def table(self) -> SigningTable:
        """Return what a verification needs, for those that do without pydantic."""
        return SigningTable(**self.model_dump(exclude=set(NOT_FOR_VERIFYING)))

    @model_validator(mode="after")
    def _trust_is_complete(self) -> Signing:
        """Refuse half a trust."""
        mistake = self.table().mistake()
        if mistake is not None:
            raise PydanticCustomError("trust", "{sentence}", {"sentence": mistake})
        if self.keys is not None and self.fleet is not None:
            raise PydanticCustomError(
                "fleet", "keys and fleet: hosts demand one or the other, so set one of them"
            )
        if self.accept_everything and self.host_key_paths:
            raise PydanticCustomError(
                "accept_everything",
                "accept_everything: with keys or fleet hosts demand a signature, so leave it out",
            )
        return self
