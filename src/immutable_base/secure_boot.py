"""`doctor --secure-boot`: whether the host that runs here takes the modules of its image.

What can be told: whether Secure Boot is on, and whether the certificates are enrolled, by shim's
list (mokutil) or by the keys of the running kernel. What cannot: whether the firmware would refuse
a key that shim knows, and what the next boot brings.
"""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from immutable_base.doctor import Requirement
from immutable_base.errors import ImmutableBaseError
from immutable_base.model.module_signer import CERTIFICATE, SECURE_BOOT
from immutable_base.process import ANY_STATUS, Command, Runner, environment
from immutable_base.tools.limits import QUICK

VARIABLE = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""Four bytes of attributes, then 1 or 0. Source: UEFI Specification 2.10, 3.3, "SecureBoot"."""
LOCKDOWN = "sys/kernel/security/lockdown"
ASYMMETRIC = "asymmetri"
"""Type of a certificate's key, as /proc/keys cuts it off. Source: proc_keys(5)."""


class SecureBoot(StrEnum):
    """What the firmware says of Secure Boot."""

    ON = "on"
    OFF = "off"
    NONE = "off: this host has not booted by UEFI"
    UNKNOWN = "cannot be told: its variable cannot be read"


class Enrolment(StrEnum):
    """What is known of a certificate."""

    ENROLLED = "enrolled"
    ASKED_FOR = "to be enrolled: at the next boot MokManager asks for it, in a blue screen"
    ABSENT = "not enrolled"
    LOADED = "in a keyring of the running kernel"
    NOT_LOADED = "in no keyring of the running kernel"
    UNKNOWN = "cannot be told: there is no mokutil, and /proc/keys cannot be read"


NO_OBSTACLE = frozenset({Enrolment.ENROLLED, Enrolment.LOADED})


def examine_secure_boot(run: Runner, root: Path = Path("/")) -> tuple[Requirement, ...]:
    """Return what this host says of Secure Boot and of each certificate of its image."""
    boot = read_boot(root)
    certificates = sorted((root / SECURE_BOOT).glob("*.der"))
    rows = [_boot_row(boot), _lockdown_row(root)]
    rows += [_certificate_row(run, root, path, boot) for path in certificates]
    if not certificates:
        rows.append(_none_row(boot))
    return tuple(rows)


def read_boot(root: Path) -> SecureBoot:
    """Return what the firmware says of Secure Boot."""
    if not (root / "sys/firmware/efi").is_dir():
        return SecureBoot.NONE
    try:
        state = (root / VARIABLE).read_bytes()
    except OSError:
        return SecureBoot.UNKNOWN
    return {b"\1": SecureBoot.ON, b"\0": SecureBoot.OFF}.get(state[4:], SecureBoot.UNKNOWN)


def read_enrolment(run: Runner, root: Path, certificate: Path) -> Enrolment:
    """Return what is known of a certificate, by mokutil, else by the kernel's keys."""
    if shutil.which("mokutil", path=environment({})["PATH"]):
        argv = ("mokutil", "--test-key", str(certificate))
        try:
            text = run(Command(argv=argv, timeout=QUICK, ok=ANY_STATUS)).text
        except ImmutableBaseError:
            text = ""
        if (found := enrolment_by_mokutil(text)) is not Enrolment.UNKNOWN:
            return found
    try:
        keys = (root / "proc/keys").read_text("utf-8", "replace")
        return enrolment_by_keys(keys, x509.load_der_x509_certificate(certificate.read_bytes()))
    except (OSError, ValueError):
        return Enrolment.UNKNOWN


def enrolment_by_mokutil(text: str) -> Enrolment:
    """Read what `mokutil --test-key` prints; its status says the same less clearly.

    Source: `print_skip_message` and `test_key` in mokutil's src/mokutil.c.
    """
    for words, meaning in (
        ("is not enrolled", Enrolment.ABSENT),
        ("in the enrollment request", Enrolment.ASKED_FOR),
        ("already enrolled", Enrolment.ENROLLED),
        ("kernel trusted keyring", Enrolment.ENROLLED),
    ):
        if words in text:
            return meaning
    return Enrolment.UNKNOWN


def enrolment_by_keys(keys: str, certificate: x509.Certificate) -> Enrolment:
    """Look for a certificate in the text of /proc/keys, which does not tell in which keyring it is.

    A key is described there as `subject: identifier: X509.rsa ...`. Source: `x509_key_preparse` in
    the kernel's crypto/asymmetric_keys/x509_public_key.c. Raises ValueError.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        identifier = extension.value.digest
    except x509.ExtensionNotFound:
        serial = certificate.serial_number
        identifier = serial.to_bytes((serial.bit_length() + 7) // 8, "big")
    mark = f": {identifier.hex()}: X509."
    found = any(ASYMMETRIC in line and mark in line for line in keys.splitlines())
    return Enrolment.LOADED if found else Enrolment.NOT_LOADED


def _boot_row(boot: SecureBoot) -> Requirement:
    ok = boot is not SecureBoot.UNKNOWN
    fix = "" if ok else "run it as root, on the host itself"
    return Requirement(name="Secure Boot", reason=str(boot), ok=ok, fix=fix)


def _lockdown_row(root: Path) -> Requirement:
    try:
        text = (root / LOCKDOWN).read_text()
        reason = text[text.index("[") + 1 : text.index("]")]
    except (OSError, ValueError):
        reason = "cannot be told: securityfs cannot be read"
    return Requirement(name="lockdown", reason=reason, ok=True, fix="")


def _certificate_row(run: Runner, root: Path, path: Path, boot: SecureBoot) -> Requirement:
    found = read_enrolment(run, root, path)
    reason = str(found)
    required = path.name == CERTIFICATE and boot in (SecureBoot.ON, SecureBoot.UNKNOWN)
    if path.name != CERTIFICATE and found not in NO_OBSTACLE:
        reason += "; it is for modules of later images"
    ok = found in NO_OBSTACLE or not required
    fix = "" if ok else f"`mokutil --import {path}`, then a reboot: docs/how-to/secure-boot.md"
    return Requirement(name=path.name, reason=reason, ok=ok, fix=fix)


def _none_row(boot: SecureBoot) -> Requirement:
    ok = boot in (SecureBoot.OFF, SecureBoot.NONE)
    return Requirement(
        name=CERTIFICATE,
        reason=f"no certificate in /{SECURE_BOOT}: the image has no signed modules of ours",
        ok=ok,
        fix=""
        if ok
        else "if it has modules of ours, publish them signed, or switch Secure Boot off",
    )
