"""Key files of the shapes that are published: several keys, armour, post-quantum, expired."""

from __future__ import annotations

import base64
from pathlib import Path

from support.rpmmd import Signer, gpg

LONG_AGO = ("--faked-system-time", "20200101T000000!")
"""The exclamation mark lets the time stand still; source: gpg(1)."""


def packet(tag: int, body: bytes) -> bytes:
    """Return a packet in the new format. Source: RFC 9580, section 4.2.1."""
    length = len(body)
    if length < 192:
        return bytes([0xC0 | tag, length]) + body
    if length < 8384:
        high, low = divmod(length - 192, 256)
        return bytes([0xC0 | tag, high + 192, low]) + body
    return bytes([0xC0 | tag, 255]) + length.to_bytes(4) + body


def version_6_key(size: int = 1984) -> bytes:
    """Return a certificate that gpg cannot read: a key of version 6, ML-DSA-65+Ed25519."""
    material = bytes(range(256)) * (size // 256 + 1)
    key = (
        bytes([6]) + (1_750_000_000).to_bytes(4) + bytes([30]) + size.to_bytes(4) + material[:size]
    )
    signature = bytes([6, 0x13, 30, 12]) + bytes(3400)
    return packet(6, key) + packet(13, b"PQ <pq@example.invalid>") + packet(2, signature)


def armour(content: bytes, *headers: str) -> bytes:
    """Return a binary key file as text, without the checksum that RFC 9580 made optional."""
    lines = base64.encodebytes(content).decode().replace("\n", "")
    wrapped = [lines[start : start + 64] for start in range(0, len(lines), 64)]
    begin, end = (f"-----{word} PGP PUBLIC KEY BLOCK-----" for word in ("BEGIN", "END"))
    return "\n".join([begin, *headers, "", *wrapped, end, ""]).encode()


def binary(signer: Signer) -> bytes:
    """Return a signer's public key in binary form."""
    path = signer.home / "exported"
    signer.gpg("--yes", "--output", str(path), "--export", signer.fingerprint)
    return path.read_bytes()


def make_old_signer(folder: Path, *, expires: str = "never", subkey: str | None = None) -> Signer:
    """Return a key made in 2020; it, or a signing subkey, expires after a time like `1y`."""
    home = folder / "gnupg"
    home.mkdir(parents=True, mode=0o700)
    gpg(
        home,
        *LONG_AGO,
        "--quick-generate-key",
        "Old <old@example.invalid>",
        "ed25519",
        "sign",
        expires,
    )
    colons = gpg(home, "--with-colons", "--list-keys").splitlines()
    fingerprint = next(line.split(":")[9] for line in colons if line.startswith("fpr:"))
    if subkey:
        gpg(home, *LONG_AGO, "--quick-add-key", fingerprint, "ed25519", "sign", subkey)
    public = folder / "key.asc"
    public.write_text(gpg(home, "--armor", "--export", fingerprint))
    return Signer(home=home, fingerprint=fingerprint, public=public)


def revoke(signer: Signer) -> None:
    """Revoke a primary key, and publish it as it is then."""
    certificate = signer.home / "openpgp-revocs.d" / f"{signer.fingerprint}.rev"
    # gpg puts a colon before the armour, so that nobody revokes by accident.
    copy = signer.home / "revoke"
    copy.write_text(certificate.read_text().replace(":-----BEGIN", "-----BEGIN"))
    signer.gpg("--import", str(copy))
    signer.public.write_text(signer.gpg("--armor", "--export", signer.fingerprint))
