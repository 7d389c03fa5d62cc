"""Modules under UEFI Secure Boot: the kernel is locked down, and takes what the enrolled key signed.

OVMF checks the kernel, which is signed anew with a key that only this machine's variables know; the
kernel checks modules against what the firmware's db holds.
"""

from __future__ import annotations

from pathlib import Path

from immutable_base import process
from immutable_base.boot.questions import GuestQuestion
from immutable_base.process import Command

NONCE = "5e" * 16
CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd")
UNPACK = "mkdir /run/tried && dd status=none if=/dev/disk/by-id/virtio-tried | tar -x -C /run/tried"
ASKED = (
    GuestQuestion(name="secure boot", script="od -An -t u1 /sys/firmware/efi/efivars/SecureBoot-*"),
    GuestQuestion(name="lockdown", script="cat /sys/kernel/security/lockdown"),
    GuestQuestion(name="unpack", script=UNPACK),
    GuestQuestion(name="unsigned", script="insmod /run/tried/unsigned.ko"),
    GuestQuestion(name="foreign", script="insmod /run/tried/foreign.ko"),
    GuestQuestion(name="next", script="insmod /run/tried/next.ko && rmmod metronome"),
    GuestQuestion(name="ours", script="modprobe metronome && grep metronome /proc/modules"),
)


def run(*argv):
    return process.run(Command(argv=tuple(map(str, argv)), timeout=120)).text
