"""An RSA key that never leaves its token: it signs by OpenSC's `pkcs11-tool`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import unquote, unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from immutable_base.errors import CommandError, ConfigurationError, ToolMissingError
from immutable_base.process import Command, Runner
from immutable_base.tools.limits import QUICK

SCHEME = "pkcs11:"
FLAGS = {"module-path": "--module", "token": "--token-label", "object": "--label"}
KNOWN = frozenset({*FLAGS, "id", "type"})
"""Attributes of a URI that are understood. Source: RFC 7512, section 2.3."""
PIN_NAME = "IMMUTABLE_BASE_PIN"
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""Before a SHA-256 in a signature, which every token can sign so. Source: RFC 8017, 9.2, note 1."""
HINT = "`pkcs11-tool -L` and `-O` list tokens and keys; it comes by `apt-get install opensc`"
PROBE = b"immutable-base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Where a key is, and how to log in."""

    run: Runner
    flags: tuple[str, ...]
    pin: str

    def sign(self, data: bytes) -> bytes:
        """Return the PKCS#1 v1.5 signature of data with SHA-256. Raises CommandError."""
        command = Command(
            argv=(
                "pkcs11-tool", *self.flags, "--login", "--pin", f"env:{PIN_NAME}", "--sign",
                "--mechanism", "RSA-PKCS",
            ),
            timeout=QUICK,
            env={PIN_NAME: self.pin},
            stdin=DIGEST_INFO + hashlib.sha256(data).digest(),
            secrets=(self.pin,),
        )  # fmt: skip
        return self.run(command).stdout


class TokenKey(rsa.RSAPrivateKey):
    """A key of a token, as `cryptography` takes it: it signs, and shows nothing."""

    def __init__(self, token: Token, public: rsa.RSAPublicKey) -> None:
        self._token, self._public = token, public

    def sign(self, data: Any, *_how: Any, **_named: Any) -> bytes:  # noqa: ANN401  the library's
        """Return the signature of data: PKCS#1 v1.5 with SHA-256, whatever is asked for."""
        return self._token.sign(bytes(data))

    def public_key(self) -> rsa.RSAPublicKey:
        """Return the public key."""
        return self._public

    @property
    def key_size(self) -> int:
        """The modulus, in bits."""
        return self._public.key_size

    def _refuse(self, *_how: Any, **_named: Any) -> NoReturn:  # noqa: ANN401  the library's
        raise NotImplementedError("the key is in a token, and only signs")

    decrypt = private_numbers = private_bytes = _refuse

    def __copy__(self) -> TokenKey:
        """Return itself: it has no state."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenKey:
        """Return itself: it has no state."""
        return self


def open_token_key(
    run: Runner, uri: str, certificate: x509.Certificate, *, pin: str | None
) -> TokenKey:
    """Return the key that a PKCS#11 URI names, after it has signed something for a certificate.

    Raises ConfigurationError: the URI is malformed or holds a PIN, there is no PIN or a wrong one,
    or the key is not the certificate's; ToolMissingError without pkcs11-tool.
    """
    flags, public = _flags(uri), certificate.public_key()
    if not pin:
        raise ConfigurationError(
            "the token with the key of the modules needs its PIN",
            hint="set $IMMUTABLE_BASE_MODULE_KEY_PASSPHRASE to it",
        )
    if not isinstance(public, rsa.RSAPublicKey):
        raise ConfigurationError("the certificate's key is not RSA")
    key = TokenKey(Token(run=run, flags=flags, pin=pin), public)
    try:
        signature = key.sign(PROBE)
        public.verify(signature, PROBE, padding.PKCS1v15(), hashes.SHA256())
    except ToolMissingError as error:
        raise ToolMissingError(error.message, hint=HINT) from error
    except CommandError as error:
        raise ConfigurationError(
            "the token does not sign: is it there, and are key and PIN right?",
            details=error.details or error.message,
            hint=HINT,
        ) from error
    except InvalidSignature as error:
        raise ConfigurationError(
            "the token's key is not that of the certificate",
            hint="`pkcs11-tool -O` lists what the token holds",
        ) from error
    return key


def _flags(uri: str) -> tuple[str, ...]:
    """Return what pkcs11-tool has to be told of a URI. No error shows a value: it may be a PIN."""
    found = {}
    path, _, query = uri.removeprefix(SCHEME).partition("?")
    for pair in filter(None, (*path.split(";"), *query.split("&"))):
        name, equals, value = pair.partition("=")
        if not equals or name not in KNOWN:
            raise ConfigurationError(
                "the PKCS#11 URI of the key of the modules has an attribute that is not known here",
                hint=f"known are {', '.join(sorted(KNOWN))}; the PIN has a variable of its own",
            )
        found[name] = value
    if not found.keys() & {"object", "id"}:
        raise ConfigurationError(
            "the PKCS#11 URI of the key of the modules names no key",
            hint="give its `object` (label) or `id`",
        )
    flags: list[str] = []
    for name, flag in FLAGS.items():
        if name in found:
            flags += [flag, unquote(found[name])]
    if "id" in found:
        flags += ["--id", unquote_to_bytes(found["id"]).hex()]
    return tuple(flags)
