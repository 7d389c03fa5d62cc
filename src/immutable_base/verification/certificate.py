"""The signing certificate: who it is about, who vouches for it, and at what time."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from immutable_base.verification.policy import EXTENSIONS, Signer
from immutable_base.verification.roots import Authority, TrustRoots
from immutable_base.verification.skipped import Kind, Skipped, skipping

ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
LONGEST_CHAIN = 5
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+?-----END CERTIFICATE-----\n")
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}  # fmt: skip
"""Critical extensions that are looked at; any other one is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A signing certificate that was read; nothing is proven by it yet."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePublicKey
    pem: str
    identity: str
    issuer: str
    claims: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()


def read_pem(text: str, what: str) -> list[x509.Certificate]:
    """Return certificates from a text in which nothing else stands, and nothing otherwise.

    Raises Skipped.
    """
    # Fulcio's last line has no end.
    whole = text if text.endswith("\n") else f"{text}\n"
    blocks = _BLOCK.findall(whole)
    if not blocks or "".join(blocks) != whole:
        raise Skipped(f"{what} is not PEM")
    with skipping(what):
        found = [x509.load_pem_x509_certificate(block.encode()) for block in blocks]
        written = [item.public_bytes(Encoding.PEM).decode() for item in found]
    if written != blocks:
        raise Skipped(f"{what} is not canonical PEM")
    return found


def read_leaf(text: str) -> Leaf:
    """Read the certificate of a signature; raises Skipped."""
    with skipping("the certificate"):
        (certificate,) = read_pem(text, "the certificate")
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise Skipped("the certificate's key is not ECDSA")
        if certificate.version is not x509.Version.v3:
            raise Skipped("the certificate is of a version that has no extensions")
        _require_code_signing(certificate)
        return Leaf(
            certificate=certificate,
            key=key,
            pem=text,
            identity=_only_name(certificate),
            issuer=_issuer(certificate),
            claims=dict(_claims(certificate)),
        )


def _require_code_signing(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise Skipped(f"the certificate's {extension.oid.dotted_string} is not understood")
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if not usage.digital_signature or usage.key_cert_sign:
        raise Skipped("the certificate is not for signatures")
    if list(extended) != [ExtendedKeyUsageOID.CODE_SIGNING]:
        raise Skipped("the certificate is not for code signing alone")
    if any(
        isinstance(item.value, x509.BasicConstraints) and item.value.ca
        for item in certificate.extensions
    ):
        raise Skipped("the certificate is an authority's")


def _only_name(certificate: x509.Certificate) -> str:
    names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    if len(names) != 1:
        raise Skipped(f"the certificate has {len(names)} names, not one")
    # Texts are compared; a mail address must not be able to say what a URI says.
    kind = x509.UniformResourceIdentifier if "://" in str(names[0].value) else x509.RFC822Name
    if not isinstance(names[0], kind):
        raise Skipped("the certificate's name is neither a URI nor an e-mail address")
    return names[0].value


def _extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes | None:
    found = [item.value for item in certificate.extensions if item.oid == oid]
    if not found:
        return None
    (value,) = found
    return value.value if isinstance(value, x509.UnrecognizedExtension) else value.public_bytes()


def _issuer(certificate: x509.Certificate) -> str:
    """Return the OIDC issuer; the two extensions that state it must agree."""
    old, new = (_extension(certificate, oid) for oid in (ISSUER_V1, ISSUER_V2))
    stated = set()
    if old is not None:
        stated.add(old.decode("utf-8"))
    if new is not None:
        stated.add(_utf8_string(new))
    if len(stated) != 1:
        raise Skipped(
            "the certificate's issuer extensions disagree" if stated else "it names no OIDC issuer"
        )
    return stated.pop()


def _claims(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    for name, oid in EXTENSIONS.items():
        raw = _extension(certificate, x509.ObjectIdentifier(oid))
        if raw is not None:
            yield name, _utf8_string(raw)


def _utf8_string(raw: bytes) -> str:
    """Return the content of a DER UTF8String; source: X.690, 8.1.3 and 10.1."""
    if len(raw) < 2 or raw[0] != 0x0C:
        raise Skipped("an extension of the certificate is not a UTF8String")
    length, start = raw[1], 2
    if length >= 0x80:
        start += length & 0x7F
        length = int.from_bytes(raw[2:start], "big")
        if not 2 < start <= 5 or length < 0x80 or raw[2] == 0:
            raise Skipped("an extension of the certificate is not DER")
    if len(raw) != start + length:
        raise Skipped("an extension of the certificate is not DER")
    return raw[start:].decode("utf-8")


def require_signer(leaf: Leaf, signer: Signer) -> None:
    """Refuse a certificate of another signer; raises Skipped of the kind OTHERS."""
    if leaf.identity != signer.identity:
        raise Skipped(f"signed by {leaf.identity}", Kind.OTHERS)
    if leaf.issuer != signer.issuer:
        raise Skipped(f"signed by {leaf.identity}, for which {leaf.issuer} vouches", Kind.OTHERS)
    for name, wanted in signer.claims.items():
        found = leaf.claims.get(name)
        if found not in wanted:
            raise Skipped(
                f"signed with {name} {found or '(none)'}, not {' or '.join(wanted)}", Kind.OTHERS
            )


def require_chain(
    leaf: Leaf, given: Sequence[x509.Certificate], roots: TrustRoots, when: int
) -> x509.Certificate:
    """Return the leaf's issuer if a trusted root vouches for it at `when`, in seconds since 1970.

    `given` is the chain that lies beside the signature; if there is one, it must hold as a whole.
    Raises Skipped.
    """
    if len(given) > LONGEST_CHAIN:
        raise Skipped("the certificate's chain is too long")
    with skipping("the certificate's chain"):
        for authority in roots.authorities:
            if not authority.period.holds(when):
                continue
            for chain in _chains(leaf.certificate, given, authority):
                if _holds(chain, when):
                    return chain[1]
    raise Skipped("no trusted root vouches for the certificate at the time of the log's entry")


def _chains(
    leaf: x509.Certificate, given: Sequence[x509.Certificate], authority: Authority
) -> Iterator[list[x509.Certificate]]:
    """Yield the ways from the leaf to a root: as given, or else by known intermediates."""
    if given:
        ends = [] if given[-1] == authority.root else [authority.root]
        yield [leaf, *given, *ends]
        return
    yield [leaf, authority.root]
    known = list(authority.intermediates)
    yield [leaf, *known, authority.root]
    for one in known:
        yield [leaf, one, authority.root]


def _holds(chain: Sequence[x509.Certificate], when: int) -> bool:
    moment = datetime.fromtimestamp(when, UTC)
    for below, (certificate, issuer) in enumerate(itertools.pairwise(chain)):
        try:
            certificate.verify_directly_issued_by(issuer)
        except Exception:  # noqa: BLE001  whatever it was, it does not hold
            return False
        if not _is_authority(issuer, below):
            return False
    return all(item.not_valid_before_utc <= moment <= item.not_valid_after_utc for item in chain)


def _is_authority(certificate: x509.Certificate, below: int) -> bool:
    """Tell whether it may issue; `below` is the number of authorities between it and the leaf."""
    extensions = certificate.extensions
    if any(item.critical and item.oid not in _UNDERSTOOD for item in extensions):
        return False
    # It should be critical, and counts where it is not (RFC 5280, 4.2.1.10).
    if any(item.oid == ExtensionOID.NAME_CONSTRAINTS for item in extensions):
        return False
    basic = extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    if not basic.ca or not usage.key_cert_sign:
        return False
    if basic.path_length is not None and below > basic.path_length:
        return False
    purposes = [item.value for item in extensions if isinstance(item.value, x509.ExtendedKeyUsage)]
    allowed = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return all(allowed & set(item) for item in purposes)
