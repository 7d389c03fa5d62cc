"""A signed kernel module taken apart, as the kernel does it, and verified by OpenSSL."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

MARKER = b"~Module signature appended~\n"
"""Ends a signed module. Source: include/linux/module_signature.h of the kernel."""
TRAILER = struct.Struct(">5B3xI")
"""algo, hash, id_type, signer_len, key_id_len, three bytes of padding, length of the signature."""
PKCS7 = 2


@dataclass(frozen=True)
class SignedModule:
    content: bytes
    """What was signed."""
    signature: bytes
    """PKCS#7, DER."""

    @classmethod
    def parse(cls, module: bytes) -> SignedModule:
        assert module.endswith(MARKER), "not signed"
        body = module.removesuffix(MARKER)
        algo, hash_, kind, signer, key_id, length = TRAILER.unpack(body[-TRAILER.size :])
        assert (algo, hash_, kind, signer, key_id) == (0, 0, PKCS7, 0, 0)
        body = body[: -TRAILER.size]
        return cls(body[:-length], body[-length:])

    def is_signed_by(self, certificate: Path, folder: Path, content: bytes | None = None) -> bool:
        """Ask OpenSSL, with this certificate (PEM) alone; `content` instead of what was signed."""
        (folder / "signature.p7s").write_bytes(self.signature)
        (folder / "module.ko").write_bytes(self.content if content is None else content)
        argv = [
            "openssl", "smime", "-verify", "-binary", "-inform", "DER", "-in", folder / "signature.p7s",
            "-content", folder / "module.ko", "-certfile", certificate, "-nointern", "-noverify", "-out", "/dev/null",
        ]  # fmt: skip
        return subprocess.run(argv, capture_output=True).returncode == 0
