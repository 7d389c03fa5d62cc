"""Who signs: the job's identity token, compared with the configuration before it is used."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, FiniteFloat, Strict, ValidationError

from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.verification.policy import Signer

TOKEN_VARIABLE = "SIGSTORE_ID_TOKEN"  # noqa: S105  the name of a variable, not its value
AUDIENCE = "sigstore"
"""What Sigstore's Fulcio demands as `aud`; source: GitLab's "Use Sigstore for keyless signing"."""
MARGIN = 60
"""Seconds that a token must still live: pushing takes a while before it is used."""
JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""Source: RFC 7515, 3.1 (compact serialization); in a signed token no part is empty."""
Moment = Annotated[FiniteFloat, Strict()]
"""A number and no text, as RFC 7519, 2 (NumericDate) has it: others do not read a text."""
STANZA = f"id_tokens: {{{TOKEN_VARIABLE}: {{aud: {AUDIENCE}}}}}"
"""What a GitLab job needs to get the token."""


class TokenClaims(BaseModel):
    """The claims of a GitLab job's ID token that decide who signs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: str
    aud: str | tuple[str, ...]
    exp: Moment
    """Seconds since 1970."""
    ci_config_ref_uri: str | None = None
    """Missing in child pipelines, which therefore cannot sign."""
    nbf: Moment | None = None
    """Seconds since 1970."""
    project_id: str | None = None
    project_path: str | None = None
    job_id: str | None = None
    runner_environment: str | None = None
    pipeline_source: str | None = None
    ref: str | None = None
    ref_type: str | None = None
    ref_protected: str | bool | None = None

    @property
    def identity(self) -> str | None:
        """What Fulcio will write into the certificate, by its `gitlab-pipeline` template."""
        return f"https://{self.ci_config_ref_uri}" if self.ci_config_ref_uri else None

    @property
    def job_url(self) -> str:
        """URL of the job; empty if the token does not say, or says two things.

        On the host that the identity names, as Fulcio's `gitlab-pipeline` template has it, and not
        on the issuer's, which may go by another name.
        """
        place, found, _ = (self.ci_config_ref_uri or "").partition(f"/{self.project_path}//")
        if not (found and self.project_path and self.job_id):
            return ""
        return f"https://{place}/{self.project_path}/-/jobs/{self.job_id}"

    @property
    def certified(self) -> dict[str, str | None]:
        """What Fulcio will write into the extensions that a configuration can demand."""
        kind = {"branch": "heads", "tag": "tags"}.get(self.ref_type or "")
        return {
            "project_id": self.project_id,
            "runner_environment": self.runner_environment,
            "build_trigger": self.pipeline_source,
            "source_ref": f"refs/{kind}/{self.ref}" if kind and self.ref else None,
        }


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
    if not JWT.fullmatch(token):
        raise _not_a_token("it has characters that no token has")
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


def check_claims(
    claims: TokenClaims, *, signer: Signer, now: float, protected_ref: bool = False
) -> None:
    """Refuse a token whose signature the configured identity would not verify.

    Raises VerificationError: expired, not valid yet, from another issuer, for another audience, or
    of another pipeline. `now` is in seconds since 1970.
    """
    if claims.exp <= now:
        raise VerificationError(
            f"the identity token expired {now - claims.exp:.0f} s ago",
            hint="a GitLab token lives as long as its job may run: raise the job's `timeout`, or "
            "publish in a job of its own",
        )
    if claims.exp <= now + MARGIN:
        raise VerificationError(
            f"the identity token expires in {claims.exp - now:.0f} s, before a push can be signed",
            hint="raise the job's `timeout`, or publish in a job of its own",
        )
    if claims.nbf is not None and claims.nbf > now + MARGIN:
        raise VerificationError(
            f"the identity token is not valid for another {claims.nbf - now:.0f} s",
            hint="is this machine's clock right?",
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
    _check_job(claims, signer)
    if protected_ref and claims.ref_protected not in {True, "true"}:
        raise VerificationError(
            "the identity token is of a ref that is not protected",
            hint="protect the branch in GitLab: signing.protected_ref demands it",
        )


def _check_job(claims: TokenClaims, signer: Signer) -> None:
    for name, wanted in signer.claims.items():
        found = claims.certified.get(name)
        if found not in wanted:
            raise VerificationError(
                f"the identity token's {name} is not what the configuration demands",
                details=f"token:         {found}\nconfiguration: {' or '.join(wanted)}",
            )


def _check_identity(claims: TokenClaims, signer: Signer) -> None:
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


def job_token(signer: Signer, *, protected_ref: bool = False) -> str:
    """Return the job's token, if the configured identity can sign with it.

    Raises ConfigurationError if there is none, VerificationError if it is not the right one.
    """
    token = read_token()
    check_claims(decode_claims(token), signer=signer, now=time.time(), protected_ref=protected_ref)
    return token
