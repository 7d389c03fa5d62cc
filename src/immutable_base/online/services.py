"""The registry and Sigstore: does each of them answer, as the one that the configuration trusts?

Nothing is pushed and nothing signed: only a pipeline's token shows that it may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from immutable_base.config.trust import SigningTable
from immutable_base.download import Downloader
from immutable_base.errors import ImmutableBaseError, RemoteError, VerificationError, foreign_data
from immutable_base.model.online import OnlineFinding, State
from immutable_base.online.findings import fault
from immutable_base.update_trust import REPOSITORY
from immutable_base.verification.client import Answer, Client
from immutable_base.verification.deadline import Deadline
from immutable_base.verification.registry import api_host
from immutable_base.verification.roots import LogKey, TrustRoots
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import parse_json
from immutable_base.verification.tls_trust import TlsTrust

SECONDS = 30.0
LARGEST = 1 << 20
"""Bytes of a registry's greeting."""
MOST_WORDS = 200
"""Characters of a name that a service gives itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Whom to ask, and whom the configuration trusts."""

    destination: str
    """`host[:port]/path` that images are published below."""
    authority: Path | None
    """PEM file of a private CA for HTTPS."""
    signing: SigningTable
    roots: TrustRoots


def ask_services(downloader: Downloader, services: Services) -> tuple[OnlineFinding, ...]:
    """Return a finding for the registry and for each part of the Sigstore instance.

    They are asked at the same time: one that is silent is given up after half a minute.
    """
    signing, roots = services.signing, services.roots
    questions = [_finding("registry", services.destination, lambda: _registry(services))]
    for url, path, judge in (
        (signing.certificate_oidc_issuer, ".well-known/openid-configuration", _issuer),
        (signing.fulcio_url, "api/v2/trustBundle", _fulcio),
        (signing.rekor_url, "api/v1/log/publicKey", _rekor),
    ):
        questions.append(_finding("sigstore", url, _asking(downloader, url, path, judge, roots)))
    if not (signing.fulcio_root or signing.trusted_root):
        asking = _asking(downloader, REPOSITORY, "timestamp.json", _tuf, roots)
        questions.append(_finding("sigstore", REPOSITORY, asking))
    with ThreadPoolExecutor(len(questions)) as pool:
        return tuple(pool.map(lambda ask: ask(), questions))


Judge = Callable[[bytes, str, TrustRoots], str]
"""Returns what an answer of this URL means; raises VerificationError if it is not trusted."""


def _finding(kind: str, name: str, ask: Callable[[], str]) -> Callable[[], OnlineFinding]:
    def finding() -> OnlineFinding:
        try:
            with foreign_data(f"the answer of {name}"):
                message = _asked(ask)
        except ImmutableBaseError as error:
            return fault(kind, name, error)
        return OnlineFinding.model_validate(
            {"kind": kind, "name": name, "state": State.OK, "message": message}
        )

    return finding


def _asked(ask: Callable[[], str]) -> str:
    """Return what an answer means; a key or certificate of an unknown kind is a ValueError, too."""
    try:
        return ask()
    except (UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError(str(error)) from error


def _asking(
    downloader: Downloader, url: str, path: str, judge: Judge, roots: TrustRoots
) -> Callable[[], str]:
    def ask() -> str:
        answer = downloader.fetch_small(f"{url.rstrip('/')}/{path}", f"its {path}")
        return judge(answer, url, roots)

    return ask


def _registry(services: Services) -> str:
    host = api_host(services.destination.partition("/")[0])
    client = Client(deadline=Deadline(seconds=SECONDS), tls=TlsTrust(services.authority))
    try:
        return greeting(client.get(f"https://{host}/v2/", {}, LARGEST))
    finally:
        client.close()


def greeting(answer: Answer) -> str:
    """Return what a registry's answer to `GET /v2/` means.

    Raises RemoteError if that is no registry's. Source: OCI Distribution Specification 1.1,
    "Determining Support".
    """
    if answer.status == 401 and "www-authenticate" in answer.headers:
        return "answers, and asks for a login"
    if answer.status == 200 and "html" not in answer.headers.get("content-type", ""):
        return "answers"
    raise RemoteError(f"this is no registry: it answers {answer.status} to GET /v2/")


def _issuer(answer: bytes, url: str, _roots: TrustRoots) -> str:
    found = _document(answer)["issuer"]
    if found != url:
        called = str(found)[:MOST_WORDS]
        raise VerificationError(f"it calls itself {called!r}, and tokens are of another issuer")
    return "vouches for tokens"


def _fulcio(answer: bytes, _url: str, roots: TrustRoots) -> str:
    chains = _document(answer)["chains"]
    found = {_sha256(chain["certificates"][-1]) for chain in chains}
    known = {_digest(authority.root) for authority in roots.authorities}
    if not found & known:
        raise VerificationError(
            "it issues certificates below roots that are not trusted",
            details=f"its roots: {', '.join(sorted(found))}",
        )
    return "issues certificates below a root that is trusted"


def _rekor(answer: bytes, _url: str, roots: TrustRoots) -> str:
    key = load_pem_public_key(answer)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise VerificationError("its key is not ECDSA")
    found = LogKey(key=key).log_id
    if found not in {log.log_id for log in roots.rekor}:
        raise VerificationError(f"it signs with a key that is not trusted: {found.hex()}")
    return "logs with a key that is trusted"


def _tuf(answer: bytes, _url: str, _roots: TrustRoots) -> str:
    signed = _document(answer)["signed"]
    version = int(signed["version"])
    return f"has version {version} of its timestamp; `immutable-base trust update` reads it"


def _document(answer: bytes) -> Any:  # noqa: ANN401  JSON
    try:
        return parse_json(answer, "the answer")
    except Skipped as one:
        raise RemoteError(one.reason) from one


def _sha256(pem: str) -> str:
    return _digest(x509.load_pem_x509_certificate(pem.encode()))


def _digest(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
