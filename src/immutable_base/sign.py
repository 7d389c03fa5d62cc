"""Who signs: the job's identity token, compared with the configuration before it is used."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from immutable_base.config.schema import Signing
from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.tools import cosign

TOKEN_VARIABLE = "SIGSTORE_ID_TOKEN"  # noqa: S105  the name of a variable, not its value
AUDIENCE = "sigstore"
"""What Sigstore's Fulcio demands as `aud`; source: GitLab's "Use Sigstore for keyless signing"."""
STANZA = f"id_tokens: {{{TOKEN_VARIABLE}: {{aud: {AUDIENCE}}}}}"
"""What a GitLab job needs to get the token."""


class TokenClaims(BaseModel):
    """The claims of a GitLab job's ID token that decide who signs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: str
    aud: str | tuple[str, ...]
    exp: FiniteFloat
    """Seconds since 1970."""
    ci_config_ref_uri: str | None = None
    """Missing in child pipelines, which therefore cannot sign."""

    @property
    def identity(self) -> str | None:
        """What Fulcio will write into the certificate, by its `gitlab-pipeline` template."""
        return f"https://{self.ci_config_ref_uri}" if self.ci_config_ref_uri else None


def read_token(environment: Mapping[str, str] = os.environ) -> str:
    """Return the job's identity token.

    Raises ConfigurationError, with the lines that a GitLab job needs, if there is none.
    """
    token = environment.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise ConfigurationError(
            f"there is no identity token to sign with: {TOKEN_VARIABLE} is not set",
            hint=f'in GitLab give the job `{STANZA}`; in the lab: eval "$(immutable-base lab env)"',
        )
    return token


def decode_claims(token: str) -> TokenClaims:
    """Read a token's claims without verifying it, which is Fulcio's part.

    Raises ConfigurationError if it is not a JSON Web Token (RFC 7519).
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise _not_a_token(f"a token has three parts, this has {len(parts)}")
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return TokenClaims.model_validate_json(raw)
    except ValidationError as error:
        # Pydantic's own text would quote the claims.
        missing = ", ".join(".".join(map(str, item["loc"])) or "JSON" for item in error.errors())
        raise _not_a_token(f"wrong or missing: {missing}") from error
    except ValueError as error:  # also binascii.Error
        raise _not_a_token(str(error)) from error


def _not_a_token(details: str) -> ConfigurationError:
    return ConfigurationError(f"{TOKEN_VARIABLE} does not hold an identity token", details=details)


def check_claims(claims: TokenClaims, *, signer: cosign.Signer, now: float) -> None:
    """Refuse a token whose signature the configured identity would not verify.

    Raises VerificationError: expired, from another issuer, for another audience, or of another
    pipeline. `now` is in seconds since 1970.
    """
    if claims.exp <= now:
        raise VerificationError(
            f"the identity token expired {now - claims.exp:.0f} s ago",
            hint="a GitLab token lives as long as its job may run: raise the job's `timeout`, or "
            "publish in a job of its own",
        )
    if claims.iss != signer.issuer:
        raise VerificationError(
            f"the identity token was issued by {claims.iss}, not by {signer.issuer}",
            hint="compare signing.certificate_oidc_issuer in the configuration",
        )
    audiences = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    if AUDIENCE not in audiences:
        raise VerificationError(
            f"the identity token is for the audience {', '.join(audiences)}, not {AUDIENCE}",
            hint=f"in GitLab: `{STANZA}`",
        )
    _check_identity(claims, signer)


def _check_identity(claims: TokenClaims, signer: cosign.Signer) -> None:
    if claims.identity is None:
        raise VerificationError(
            "the identity token does not name a pipeline (claim ci_config_ref_uri)",
            hint="GitLab leaves it out in child pipelines; sign in the parent pipeline",
        )
    if claims.identity != signer.identity:
        raise VerificationError(
            "the identity token belongs to another pipeline than the configuration names",
            details=f"token:         {claims.identity}\nconfiguration: {signer.identity}",
            hint="run on the branch and in the project that signing.certificate_identity names",
        )


def signer_of(signing: Signing) -> cosign.Signer:
    """Return who must sign, by configuration."""
    return cosign.Signer(
        identity=signing.certificate_identity, issuer=signing.certificate_oidc_issuer
    )


def sigstore_of(signing: Signing, folder: Path, environment: Mapping[str, str]) -> cosign.Sigstore:
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
            path = (folder / name).resolve()
            if not path.is_file():
                raise ConfigurationError(f"the configuration names {path}, which does not exist")
            environment[variable] = str(path)
    return cosign.Sigstore(
        fulcio_url=signing.fulcio_url,
        rekor_url=signing.rekor_url,
        check_sct=bool(signing.ct_log_key) or not signing.fulcio_root,
        environment=environment,
    )


def job_token(signer: cosign.Signer) -> str:
    """Return the job's token, if the configured identity can sign with it.

    Raises ConfigurationError if there is none, VerificationError if it is not the right one.
    """
    token = read_token()
    check_claims(decode_claims(token), signer=signer, now=time.time())
    return token
