"""An RSA key that never leaves its token: it signs by OpenSC's `pkcs11-tool`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
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
FLAGS = {"module-path": "--module", "token": "--token-label"}
KNOWN = frozenset({*FLAGS, "object", "id", "type"})
"""Attributes of a URI that are understood. Source: RFC 7512, section 2.3."""
MODULE_VARIABLES = (
    "SOFTHSM2_CONF", "OPENSC_CONF", "YUBIHSM_PKCS11_CONF", "P11_KIT_SERVER_ADDRESS",
    "ChrystokiConfigurationPath", "CS_PKCS11_R3_CFG",
)  # fmt: skip
"""Where modules of SoftHSM, OpenSC, YubiHSM, p11-kit, Luna and Utimaco find their token; sources:
softhsm2.conf(5), opensc.conf(5), p11-kit(8) and the vendors' manuals."""
PIN_NAME = "IMMUTABLE_BASE_PIN"
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""Before a SHA-256 in a signature, which every token can sign so. Source: RFC 8017, 9.2, note 1."""
HINT = "`pkcs11-tool -L` and `-O` list tokens and keys; it comes by `apt-get install opensc`"
PROBE = b"immutable-base"
KEY_BEGIN = "Private Key Object"
SHOWN = re.compile(r"^ +(label|ID): +(.*?) *$", re.MULTILINE)
"""Lines of `pkcs11-tool --list-objects`; source: OpenSC, src/tools/pkcs11-tool.c (show_key)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token, and how to log in."""

    run: Runner
    flags: tuple[str, ...]
    pin: str
    environment: Mapping[str, str]
    """Of the token's module."""

    def private_keys(self) -> tuple[tuple[str, str], ...]:
        """Return label and id (hexadecimal) of each private key. Raises CommandError."""
        shown = self._ask(("--list-objects", "--type", "privkey")).decode("utf-8", "replace")
        found = []
        for text in shown.split(KEY_BEGIN)[1:]:
            told = dict(SHOWN.findall(text))
            if "ID" in told:
                found.append((told.get("label", ""), told["ID"]))
        return tuple(found)

    def sign(self, data: bytes, key: str) -> bytes:
        """Return a key's PKCS#1 v1.5 signature of data with SHA-256. Raises CommandError.

        By its id: with a label `--sign` takes the first key of all, as OpenSC 0.23 does.
        """
        words = ("--sign", "--mechanism", "RSA-PKCS", "--id", key)
        return self._ask(words, DIGEST_INFO + hashlib.sha256(data).digest())

    def _ask(self, words: tuple[str, ...], stdin: bytes = b"") -> bytes:
        command = Command(
            argv=("pkcs11-tool", *self.flags, "--login", "--pin", f"env:{PIN_NAME}", *words),
            timeout=QUICK,
            env={**self.environment, PIN_NAME: self.pin},
            stdin=stdin,
            secrets=(self.pin,),
        )
        return self.run(command).stdout


class TokenKey(rsa.RSAPrivateKey):
    """A key of a token, as `cryptography` takes it: it signs, and shows nothing."""

    def __init__(self, token: Token, key: str, public: rsa.RSAPublicKey) -> None:
        self._token, self._id, self._public = token, key, public

    def sign(self, data: Any, *_how: Any, **_named: Any) -> bytes:  # noqa: ANN401  the library's
        """Return the signature of data: PKCS#1 v1.5 with SHA-256, whatever is asked for."""
        return self._token.sign(bytes(data), self._id)

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
    run: Runner,
    uri: str,
    certificate: x509.Certificate,
    *,
    pin: str | None,
    environment: Mapping[str, str],
) -> TokenKey:
    """Return the key that a PKCS#11 URI names, after it has signed something for a certificate.

    Of `environment` the token's module gets `MODULE_VARIABLES`.
    Raises ConfigurationError: the URI is malformed or holds a PIN, there is no PIN or a wrong one,
    or the key is not the certificate's; ToolMissingError without pkcs11-tool.
    """
    named, public = _named(uri), certificate.public_key()
    if not pin:
        raise ConfigurationError(
            "the token with the key of the modules needs its PIN",
            hint="set $IMMUTABLE_BASE_MODULE_KEY_PASSPHRASE to it",
        )
    if not isinstance(public, rsa.RSAPublicKey):
        raise ConfigurationError("the certificate's key is not RSA")
    given = {name: environment[name] for name in MODULE_VARIABLES if name in environment}
    token = Token(run=run, flags=_flags(named), pin=pin, environment=given)
    try:
        key = TokenKey(token, _id_of(token, named), public)
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


def _id_of(token: Token, named: Mapping[str, str]) -> str:
    """Return the id of the key that a URI names by it, or by its label."""
    if "id" in named:
        return unquote_to_bytes(named["id"]).hex()
    label = unquote(named["object"])
    found = sorted({key for its, key in token.private_keys() if its == label})
    if len(found) != 1:
        raise ConfigurationError(
            "the token has no private key of that label"
            if not found
            else "the token has several private keys of that label",
            details=f"ids: {', '.join(found)}" if found else None,
            hint="`pkcs11-tool -O --login` lists them; name the key by its `id`: id=%0a",
        )
    return found[0]


def _flags(named: Mapping[str, str]) -> tuple[str, ...]:
    pairs = ((flag, unquote(named[name])) for name, flag in FLAGS.items() if name in named)
    return tuple(word for pair in pairs for word in pair)


def _named(uri: str) -> dict[str, str]:
    """Return what a URI says, by its attributes. No error shows a value: it may be a PIN."""
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
    return found
