"""A Fulcio, a Rekor and a CT log of the tests' own, so that everything can be forged field by field.

What is made here without arguments is what cosign 2.6 and the real services write; the test of that
is tests/unit/verification/test_recorded.py, which has a recorded one.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
import json
import struct
from dataclasses import dataclass, field, replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from immutable_base.errors import TooLargeError
from immutable_base.verification.attestation import (
    CYCLONEDX,
    PROVENANCE,
    encode_before_signing,
)
from immutable_base.verification.policy import EXTENSIONS, Signer
from immutable_base.verification.roots import TrustRoots, private_roots
from support.complete import artifact, full_of, naming, predicate, referrers

IDENTITY = "https://gitlab.com/immutable-base/immutable-base//.gitlab-ci.yml@refs/heads/main"
ISSUER = "https://gitlab.com"
SIGNER = Signer(identity=IDENTITY, issuer=ISSUER)
NOW = 1_795_000_000
"""When everything is signed, unless said otherwise: 2026-11-18."""
CLAIMS = {
    "project_id": "58391042",
    "runner_environment": "gitlab-hosted",
    "build_trigger": "schedule",
    "source_ref": "refs/heads/main",
    "job_url": "https://gitlab.com/immutable-base/immutable-base/-/jobs/1",
}
LISTED = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "components": [{"type": "library", "name": "bash", "version": "5.2"}],
}
FULL, SBOM = full_of(LISTED), naming(LISTED)
PREDICATE = predicate(FULL, IDENTITY)
"""A good provenance."""
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
DSSE = "application/vnd.dsse.envelope.v1+json"
SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def new_key(curve=ec.SECP256R1):
    return ec.generate_private_key(curve())


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def b64(raw):
    return base64.b64encode(raw).decode()


def digest_of(raw):
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def sign(key, raw):
    return key.sign(raw, ec.ECDSA(hashes.SHA256()))


def pem_of(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def public_pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def spki(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def utf8_string(text):
    raw = text.encode()
    head = bytes([len(raw)]) if len(raw) < 128 else b"\x81" + bytes([len(raw)])
    return b"\x0c" + head + raw


def moment(seconds):
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def usage(**changes):
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{**dict.fromkeys(names, False), **changes})


def authority(
    name, key, issuer=None, issuer_key=None, *, ca=True, path_length=None, years=10, purposes=(ExtendedKeyUsageOID.CODE_SIGNING,),
    extra=(), extra_critical=True, use=None,
):  # fmt: skip
    """Make a certificate of an authority, self-signed unless an issuer is named."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment(NOW - 86400 * 365))
        .not_valid_after(moment(NOW - 86400 * 365 + int(86400 * 365 * years)))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True)
        .add_extension(use or usage(key_cert_sign=ca, crl_sign=ca), critical=True)
    )  # fmt: skip
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    for extension in extra:
        builder = builder.add_extension(extension, critical=extra_critical)
    return builder.sign(issuer_key or key, hashes.SHA256())


@dataclass(frozen=True)
class Leaf:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self):
        return pem_of(self.certificate)


@dataclass
class Instance:
    """Keys of a whole Sigstore, and the trust in it."""

    name: str = "test fulcio"
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    rekor_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    ct_key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    @functools.cached_property
    def root(self):
        return authority(self.name, self.root_key)

    def roots(self, *, sct=True) -> TrustRoots:
        return private_roots(
            instance="https://fulcio.example",
            fulcio=pem_of(self.root).encode(),
            rekor=public_pem(self.rekor_key),
            ct=public_pem(self.ct_key) if sct else None,
        )

    def leaf(
        self, *, identity=IDENTITY, issuer=ISSUER, when=NOW, key=None, names=None, v1="issuer", v2="issuer",
        claims=CLAIMS, ct_key="own", sct_issuer=None, stamps=1, by=None, extra=(), purposes=(ExtendedKeyUsageOID.CODE_SIGNING,),
        use=None, ca=None, lifetime=600,
    ):  # fmt: skip
        """Issue a certificate; `v1` and `v2` are the issuer extensions, None leaves one out.

        `stamps` is the number of its SCTs, or a function that makes them of one without.
        """
        issuer_certificate, issuer_key = by or (self.root, self.root_key)
        key = key or new_key()
        names = [x509.UniformResourceIdentifier(identity)] if names is None else names
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer_certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment(when))
            .not_valid_after(moment(when + lifetime))
            .add_extension(use or usage(digital_signature=True), critical=True)
        )
        if purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)  # fmt: skip
        given = {
            ISSUER_V1: None if v1 is None else (issuer if v1 == "issuer" else v1).encode(),
            ISSUER_V2: None if v2 is None else utf8_string(issuer if v2 == "issuer" else v2),
            **{x509.ObjectIdentifier(EXTENSIONS[name]): utf8_string(text) for name, text in claims.items()},
        }  # fmt: skip
        for oid, raw in given.items():
            if raw is not None:
                builder = builder.add_extension(x509.UnrecognizedExtension(oid, raw), critical=False)  # fmt: skip
        for extension, critical in extra:
            builder = builder.add_extension(extension, critical=critical)
        ct = self.ct_key if ct_key == "own" else ct_key
        if ct is not None:
            bare = builder.sign(issuer_key, hashes.SHA256())
            stamp = self.timestamp(bare, sct_issuer or issuer_key, ct, when)
            made = stamps(bare) if callable(stamps) else [stamp] * stamps
            builder = builder.add_extension(
                x509.UnrecognizedExtension(SCT_LIST, sct_list(made)), critical=False
            )
        return Leaf(key, builder.sign(issuer_key, hashes.SHA256()))

    @staticmethod
    def timestamp(certificate, issuer_key, ct_key, when, *, extensions=b"", signed=None, algorithms=b"\x04\x03"):  # fmt: skip
        """Return an SCT for a certificate that has none yet; source: RFC 6962, 3.2 and 3.3.

        `signed` are the extensions that are signed, where those are others; `algorithms` names hash
        and signature, whatever they are (RFC 5246, 7.4.1.4.1).
        """
        extensions_signed = extensions if signed is None else signed
        tbs = certificate.tbs_certificate_bytes
        milliseconds = when * 1000 + 7
        signed = (
            struct.pack(">BBQH", 0, 0, milliseconds, 1)
            + hashlib.sha256(spki(issuer_key)).digest()
            + len(tbs).to_bytes(3, "big") + tbs
            + len(extensions_signed).to_bytes(2, "big") + extensions_signed
        )  # fmt: skip
        signature = sign(ct_key, signed)
        log_id = hashlib.sha256(spki(ct_key)).digest()
        return (
            b"\x00" + log_id + struct.pack(">QH", milliseconds, len(extensions)) + extensions + algorithms
            + len(signature).to_bytes(2, "big") + signature
        )  # fmt: skip

    def bundle(self, body, *, when=NOW + 1, index=7, key=None, log_id=None, **payload):
        """Return Rekor's bundle of an entry, as cosign stores it in an annotation."""
        key = key or self.rekor_key
        signed = {
            "body": b64(body if isinstance(body, bytes) else compact(body)),
            "integratedTime": when,
            "logID": log_id or hashlib.sha256(spki(key)).hexdigest(),
            "logIndex": index,
            **payload,
        }
        text = json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()
        return {"SignedEntryTimestamp": b64(sign(key, text)), "Payload": signed}


def sct_list(stamps):
    inner = b"".join(len(stamp).to_bytes(2, "big") + stamp for stamp in stamps)
    whole = len(inner).to_bytes(2, "big") + inner
    length = len(whole)
    head = bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2, "big") if length > 255 else b"\x81" + bytes([length])  # fmt: skip
    return b"\x04" + head + whole


def hashedrekord(payload, signature, pem):
    return {
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}},
            "signature": {"content": signature, "publicKey": {"content": b64(pem.encode())}},
        },
    }


def dsse_entry(envelope, payload, signature, pem):
    def hashed(raw):
        return {"algorithm": "sha256", "value": hashlib.sha256(raw).hexdigest()}

    return {
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": hashed(envelope),
            "payloadHash": hashed(payload),
            "signatures": [{"signature": signature, "verifier": b64(pem.encode())}],
        },
    }


def intoto_entry(envelope, payload, signature, pem):
    entry = dsse_entry(envelope, payload, signature, pem)["spec"]
    key = {"publicKey": b64(pem.encode()), "sig": b64(signature.encode())}
    content = {
        "envelope": {"payloadType": "application/vnd.in-toto+json", "signatures": [key]},
        "hash": entry["envelopeHash"],
        "payloadHash": entry["payloadHash"],
    }
    return {"apiVersion": "0.0.2", "kind": "intoto", "spec": {"content": content}}


def simple_signing(digest, repository, **changes):
    critical = {
        "identity": {"docker-reference": repository},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return compact({"critical": {**critical, **changes}, "optional": None})


def statement(digest, predicate=SBOM, **changes):
    return {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": CYCLONEDX,
        "subject": [{"name": "x", "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicate": predicate,
        **changes,
    }


def provenance(digest, predicate=PREDICATE, **changes):
    return statement(digest, predicate, **{"predicateType": PROVENANCE, **changes})


@dataclass(frozen=True)
class Layer:
    """One item of a `.sig` or `.att` manifest."""

    content: bytes
    annotations: dict
    media_type: str = SIMPLE_SIGNING

    def descriptor(self):
        return {
            "mediaType": self.media_type,
            "size": len(self.content),
            "digest": digest_of(self.content),
            "annotations": self.annotations,
        }

    def noted(self, **changes):
        """Return it with some annotations changed; None removes one."""
        short = {
            "signature": "dev.cosignproject.cosign/signature", "bundle": "dev.sigstore.cosign/bundle",
            "certificate": "dev.sigstore.cosign/certificate", "chain": "dev.sigstore.cosign/chain",
        }  # fmt: skip
        notes = {**self.annotations, **{short[name]: text for name, text in changes.items()}}
        return replace(self, annotations={k: v for k, v in notes.items() if v is not None})

    def rebundled(self, change):
        """Return it with the bundle's JSON changed; nothing is signed again."""
        bundle = json.loads(self.annotations["dev.sigstore.cosign/bundle"])
        change(bundle)
        return self.noted(bundle=compact(bundle).decode())


def signature(instance, payload, *, leaf=None, when=NOW + 1, chain="root", signed=None, entry=hashedrekord, index=7, log=None, **bundle):  # fmt: skip
    """Sign a text and log it; `signed` is what is signed, where that is another text."""
    leaf = leaf or instance.leaf()
    text = b64(sign(leaf.key, payload if signed is None else signed))
    body = entry(payload, text, leaf.pem)
    annotations = {
        "dev.cosignproject.cosign/signature": text,
        "dev.sigstore.cosign/bundle": compact((log or instance).bundle(body, when=when, index=index, **bundle)).decode(),
        "dev.sigstore.cosign/certificate": leaf.pem,
        "dev.sigstore.cosign/chain": pem_of(instance.root) if chain == "root" else chain,
    }  # fmt: skip
    return Layer(payload, {k: v for k, v in annotations.items() if v is not None})


def key_signature(key, digest, identity, *, payload=None, signed=None, text=None):
    """Sign an image with a plain key, as `cosign sign --key` does; `signed` is another text."""
    payload = simple_signing(digest, identity) if payload is None else payload
    text = b64(sign(key, payload if signed is None else signed)) if text is None else text
    return Layer(payload, {"dev.cosignproject.cosign/signature": text})


def attestation(
    instance, payload, *, leaf=None, when=NOW + 2, signed=None, entry=dsse_entry, payload_type="application/vnd.in-toto+json",
    write=None, logged=None, index=8, chain="root", log=None,
):  # fmt: skip
    """Attest a statement; `write(payload, signature)` returns another text of the envelope."""
    leaf = leaf or instance.leaf()
    raw = payload if isinstance(payload, bytes) else compact(payload)
    made = sign(leaf.key, encode_before_signing(payload_type, raw if signed is None else signed))
    text = b64(made)
    if write is None:
        signatures = [{"keyid": "", "sig": text}]
        envelope = compact({"payloadType": payload_type, "payload": b64(raw), "signatures": signatures})  # fmt: skip
    else:
        envelope = write(b64(raw), text)
    body = entry(envelope if logged is None else logged, raw, text, leaf.pem)
    annotations = {
        "dev.cosignproject.cosign/signature": "",
        "dev.sigstore.cosign/bundle": compact((log or instance).bundle(body, when=when, index=index)).decode(),
        "dev.sigstore.cosign/certificate": leaf.pem,
        "dev.sigstore.cosign/chain": pem_of(instance.root) if chain == "root" else chain,
    }  # fmt: skip
    notes = {k: v for k, v in annotations.items() if v is not None}
    return Layer(envelope, notes, DSSE)


@dataclass
class MemoryRegistry:
    """One repository: manifests by tag and digest, and blobs."""

    manifests: dict = field(default_factory=dict)
    blobs: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    has_referrers: bool = False
    """Whether it keeps lists of referrers itself; else clients do, under tags."""
    lists: dict = field(default_factory=dict)
    """Those that it keeps."""

    def manifest(self, reference):
        self.asked.append(reference)
        return self.manifests.get(reference)

    def blob(self, digest, size):
        self.asked.append(digest)
        raw = self.blobs.get(digest)
        if raw is not None and len(raw) > size:
            raise TooLargeError(f"more than {size} bytes")
        return raw

    def referrers(self, digest, kind):
        self.asked.append(f"referrers/{digest}")
        return self.lists.get(digest, (referrers(),)) if self.has_referrers else None

    def put_manifest(self, reference, raw, kind):
        self.manifests[reference] = self.manifests[digest_of(raw)] = raw

    def refer(self, digest, full=FULL, **changes):
        """Put a full SBOM beside an image, in place of what was there."""
        self.add_blob(full)
        manifest, entry = artifact(digest, full, **changes)
        self.manifests[digest_of(manifest)] = manifest
        self.list_referrers(digest, entry)
        return digest_of(manifest)

    def list_referrers(self, digest, *entries):
        """Let these be what refers to an image."""
        if self.has_referrers:
            self.lists[digest] = (referrers(*entries),)
        else:
            self.manifests[digest.replace(":", "-")] = referrers(*entries)

    def close(self):
        """Nothing is open."""

    def add_blob(self, raw):
        self.blobs[digest_of(raw)] = raw
        return digest_of(raw)

    def add_image(self, words="image", *, tag=None, os="linux", architecture="amd64", manifest=None, config_type=OCI_CONFIG, created=""):  # fmt: skip
        config = compact({"os": os, "architecture": architecture, "created": created, "config": {"Labels": {"words": words}}})  # fmt: skip
        raw = compact(
            {
                "schemaVersion": 2,
                "mediaType": OCI,
                "config": {"mediaType": config_type, "size": len(config), "digest": self.add_blob(config)},
                "layers": [],
                **(manifest or {}),
            }
        )  # fmt: skip
        self.manifests[digest_of(raw)] = raw
        if tag:
            self.manifests[tag] = raw
        return digest_of(raw)

    def attach(self, digest, kind, *layers):
        """Put items under `sha256-….sig` or `.att`, in place of what was there."""
        for layer in layers:
            self.add_blob(layer.content)
        self.attach_raw(digest, kind, [layer.descriptor() for layer in layers])

    def attach_raw(self, digest, kind, descriptors, **changes):
        config = b"{}"
        raw = compact(
            {
                "schemaVersion": 2, "mediaType": OCI,
                "config": {"mediaType": OCI_CONFIG, "size": len(config), "digest": self.add_blob(config)},
                "layers": descriptors, **changes,
            }
        )  # fmt: skip
        self.manifests[f"{digest.replace(':', '-')}.{kind}"] = raw
