"""OpenPGP key files, taken apart into certificates: what gpg cannot read hides no key beside it.

gpg 2.2 stops at the first packet of a version that it does not know, such as a post-quantum key of
version 6, and reads nothing that follows it in the same file. One certificate at a time it reads
all that it can.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

SECRET_KEY, PUBLIC_KEY = 5, 6
"""Packet types that begin a certificate. Source: RFC 9580, section 5."""
BEGIN = re.compile(rb"^-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n", re.MULTILINE)
END = re.compile(rb"^-----END PGP PUBLIC KEY BLOCK-----", re.MULTILINE)
HEADER = re.compile(rb"^[A-Za-z]+: .*$")
CHECKSUM_LINE = re.compile(rb"^=[A-Za-z0-9+/]{4}$")
"""The CRC24 after the data: it protects against nothing, and RFC 9580 (6.1) says to ignore it."""


def certificates(content: bytes) -> tuple[bytes, ...]:
    """Return each certificate of a key file in binary form: a public key and what belongs to it.

    The file is binary, or holds one or more armoured blocks. What is no packet ends the reading of
    its block; what was read before it counts. Secret keys are left out.
    """
    blocks = list(_blocks(content))
    parts = [_dearmoured(block) for block in blocks] if blocks else [content]
    return tuple(certificate for part in parts for certificate in _certificates(part))


def _blocks(content: bytes) -> Iterator[bytes]:
    """Yield what lies between each begin of armour and the next end.

    Whoever serves the file decides how many there are: nothing is read twice.
    """
    begin = BEGIN.search(content)
    while begin is not None:
        end = END.search(content, begin.end())
        if end is None:
            return
        yield content[begin.end() : end.start()]
        begin = BEGIN.search(content, end.end())


def _dearmoured(block: bytes) -> bytes:
    """Return what an armoured block holds, nothing if it is not base64. Source: RFC 9580, 6.2."""
    lines = [line.strip() for line in block.splitlines()]
    data = b"".join(
        line for line in lines if not HEADER.match(line) and not CHECKSUM_LINE.match(line)
    )
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        return b""


def _certificates(content: bytes) -> Iterator[bytes]:
    kind, packets = 0, bytearray()
    for tag, packet in _packets(content):
        if tag in {SECRET_KEY, PUBLIC_KEY}:
            if kind == PUBLIC_KEY:
                yield bytes(packets)
            kind, packets = tag, bytearray()
        packets += packet
    if kind == PUBLIC_KEY:
        yield bytes(packets)


def _packets(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and bytes of each whole packet."""
    start = 0
    while start < len(content):
        header = _header(content[start : start + 6])
        if header is None or start + sum(header[1:]) > len(content):
            return
        tag, prefix, length = header
        yield tag, content[start : start + prefix + length]
        start += prefix + length


def _header(begin: bytes) -> tuple[int, int, int] | None:
    """Return a packet's type, and the bytes of its header and of its body.

    None if it is no packet, or one without a definite length, which keys do not have. Source:
    RFC 9580, section 4.2.
    """
    first, rest = begin[0], begin[1:]
    if not first & 0x80:
        return None
    if first & 0x40:
        return _new_header(first & 0x3F, rest)
    octets = {0: 1, 1: 2, 2: 4}.get(first & 0x03, 0)
    if not octets or len(rest) < octets:
        return None
    return (first >> 2) & 0x0F, 1 + octets, int.from_bytes(rest[:octets])


def _new_header(tag: int, rest: bytes) -> tuple[int, int, int] | None:
    if rest and rest[0] < 192:
        return tag, 2, rest[0]
    if len(rest) >= 2 and rest[0] < 224:
        return tag, 3, ((rest[0] - 192) << 8) + rest[1] + 192
    if len(rest) >= 5 and rest[0] == 255:
        return tag, 6, int.from_bytes(rest[1:5])
    return None
