"""A machine's firmware with Secure Boot on, and a kernel that it starts."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from immutable_base import process
from immutable_base.boot.questions import GuestQuestion
from immutable_base.process import Command
from immutable_base.tools.module_signature import ModuleKey
from immutable_base.tools.qemu import Firmware, Machine, arguments
from support.module_keys import pem_of, rsa_key
from support.module_signature import MARKER, PKCS7, TRAILER

OWNER = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""The GUID that owns the keys; any would do. Source: UEFI specification, EFI_SIGNATURE_DATA."""
CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
"""Of Debian's package `ovmf`."""
STATE = (
    GuestQuestion(name="secure boot", script="od -An -t u1 /sys/firmware/efi/efivars/SecureBoot-*"),
    GuestQuestion(name="lockdown", script="cat /sys/kernel/security/lockdown"),
)


@dataclass(frozen=True)
class Pair:
    """A key with its self-signed certificate, as files."""

    key: Path
    certificate: Path

    @classmethod
    def make(cls, folder: Path, name: str, number: int) -> Pair:
        key = rsa_key(2048, number)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(number).not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30)).sign(key, hashes.SHA256())
        )  # fmt: skip
        pair = cls(folder / f"{name}.key", folder / f"{name}.pem")
        pair.key.write_bytes(pem_of(key))
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return pair


def start(*argv: str | Path) -> None:
    process.run(Command(argv=tuple(map(str, argv)), timeout=120))


def _program(name: str) -> str:
    """Return a program of this environment, or of the machine."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = shutil.which(name, path=places)
    assert found, f"{name} is missing: with Python 3.13, install Debian's python3-virt-firmware"
    return found


def enrolled(folder: Path, platform: Pair, modules: list[Path]) -> Firmware:
    """Return firmware that trusts the platform's key and these certificates, and nothing else."""
    variables = folder / "variables.fd"
    trusted = [
        word for path in (platform.certificate, *modules) for word in ("--add-db", OWNER, path)
    ]
    start(
        _program("virt-fw-vars"), "--input", VARIABLES, "--output", variables,
        "--set-pk", OWNER, platform.certificate, "--add-kek", OWNER, platform.certificate, *trusted,
        "--secure-boot",
    )  # fmt: skip
    return Firmware(code=CODE, variables=variables)


def trusting(machine: Machine, folder: Path, platform: Pair, modules: list[Path]) -> Machine:
    """Return the machine with Secure Boot on; it starts its kernel, and loads what these signed."""
    folder.mkdir()
    kernel = replace(machine.kernel, image=sign_kernel(machine.kernel.image, platform))
    firmware = enrolled(folder, platform, modules)
    return replace(machine, accelerator="tcg", kernel=kernel, firmware=firmware)


VERDICTS = ("EFI stub: ", "Access Denied")
"""What a kernel says first, and what OVMF says of one that it does not trust."""
FIRMWARE_SECONDS = 120


def firmware_says(machine: Machine, kernel: Path, folder: Path) -> str:
    """Start the machine's firmware with nothing but this kernel, as the loader of a removable disk.

    A kernel that QEMU hands in (-kernel) would start even if the firmware does not trust it: for
    compatibility, OVMF then starts it as a BIOS would. Source: X86QemuLoadImageLib of edk2.
    """
    disk = folder / f"esp-{kernel.name}"
    loader = disk / "EFI/BOOT/BOOTX64.EFI"
    loader.parent.mkdir(parents=True)
    shutil.copyfile(kernel, loader)
    machine.console.unlink(missing_ok=True)
    esp = f"file=fat:rw:{disk},format=raw,if=none,id=esp"
    first = ("-drive", esp, "-device", "virtio-blk-pci,drive=esp,bootindex=0")
    machine = replace(machine, kernel=None, extra=(*machine.extra, *first))

    def said() -> str:
        return machine.console.read_text(errors="replace") if machine.console.exists() else ""

    def judged() -> bool:
        return any(words in said() for words in VERDICTS)

    process.run(Command(argv=arguments(machine), timeout=FIRMWARE_SECONDS, until=judged))
    return said()


def sign_kernel(kernel: Path, pair: Pair) -> Path:
    """Return a copy of the kernel with this signature alone."""
    signed = kernel.with_name("vmlinuz-signed")
    bare = kernel.with_name("vmlinuz-bare")
    bare.write_bytes(kernel.read_bytes())
    start("sbattach", "--remove", bare)
    start("sbsign", "--key", pair.key, "--cert", pair.certificate, "--output", signed, bare)
    return signed


def sign_module(module: bytes, key: Path, certificate: Path) -> bytes:
    """Return a module with a signature appended, as the kernel's sign-file does it."""
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    public = x509.load_pem_x509_certificate(certificate.read_bytes())
    signature = ModuleKey(certificate=public, key=private).sign(module)
    return module + signature + TRAILER.pack(0, 0, PKCS7, 0, 0, len(signature)) + MARKER
