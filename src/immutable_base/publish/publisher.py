"""Who publishes: what signs, where to, and who verifies it, as anybody can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immutable_base.config.signing import Signing
from immutable_base.config.trust import SigningTable
from immutable_base.process import Runner
from immutable_base.publish.by_key import tags_signed_by
from immutable_base.sign import job_token
from immutable_base.tools import cosign
from immutable_base.trusted import key_file
from immutable_base.trusted_keys import signing_key_of
from immutable_base.verification.policy import Signer
from immutable_base.verify import Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """What a publication needs beside what is published."""

    verifier: Verifier
    """Says whether what lies in the registry is the signer's."""
    run: Runner
    """Starts skopeo and cosign."""
    sigstore: cosign.Sigstore
    """Where to sign."""
    protected_ref: bool = False
    """Whether to sign on protected refs only."""
    key: cosign.ImageKey | None = None
    """Signs beside the keyless identity, for hosts; None: no key is configured."""
    by_fleet: bool = False
    """Whether another machine admits what is published, for hosts."""
    leave_behind: frozenset[str] = frozenset()
    """What hosts take that need not be reached any more; see `policy/accepted`."""

    @classmethod
    def of(
        cls,
        signing: Signing,
        folder: Path,
        *,
        verifier: Verifier,
        run: Runner,
        environment: Mapping[str, str],
    ) -> Publisher:
        """Return who publishes by the table `[signing]`, of which relative files begin at `folder`.

        `environment` tells programs which CAs to trust for HTTPS. Raises ConfigurationError if a
        key file does not exist, or does not hold what it should.
        """
        table = signing.table()
        return cls(
            verifier=verifier,
            run=run,
            sigstore=sigstore_of(table, folder, environment),
            protected_ref=table.protected_ref,
            key=signing_key_of(signing, folder),
            by_fleet=signing.fleet is not None,
            leave_behind=frozenset(signing.leave_behind),
        )

    @property
    def signer(self) -> Signer:
        """Who must sign: the one that the verifier demands."""
        return self.verifier.signer

    def token(self) -> str:
        """Return the job's token; raises as `job_token` if the signer cannot sign with it."""
        return job_token(self.signer, protected_ref=self.protected_ref)

    def tags_signed_by_key(self, repository: str, digest: str) -> frozenset[str]:
        """Return the tags for which the configured key has signed a digest.

        Raises RemoteError if nothing can be known.
        """
        if self.key is None:
            return frozenset()
        public = self.key.public
        return self.verifier.reading(
            repository,
            lambda reader: tags_signed_by(reader, repository=repository, digest=digest, key=public),
        )


def sigstore_of(
    signing: SigningTable, folder: Path, environment: Mapping[str, str]
) -> cosign.Sigstore:
    """Return the instance of Sigstore that the configuration names, with the trust in it.

    A certificate without proof from a CT log (SCT) is accepted only from a private Fulcio for
    which no CT log is configured.

    Relative key files begin at `folder`; `environment` tells cosign which CAs to trust for HTTPS.
    Raises ConfigurationError if a key file does not exist.
    """
    files = {
        "SIGSTORE_ROOT_FILE": signing.fulcio_root,
        "SIGSTORE_REKOR_PUBLIC_KEY": signing.rekor_key,
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": signing.ct_log_key,
    }
    environment = dict(environment)
    for variable, name in files.items():
        if name:
            environment[variable] = str(key_file(name, folder))
    return cosign.Sigstore(
        fulcio_url=signing.fulcio_url,
        rekor_url=signing.rekor_url,
        check_sct=not signing.without_ct_log,
        trusted_root=key_file(signing.trusted_root, folder) if signing.trusted_root else None,
        environment=environment,
    )
