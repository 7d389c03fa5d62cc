"""The lab's own OpenPGP key: signs the RPMs and the metadata of the lab's repositories."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from immutable_base.process import Command, run
from immutable_base_lab.core import cache

USER_ID = "Immutable Base lab (throw-away key, trusted nowhere else)"
KEY_NAME = "lab-rpm-key.asc"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key in a keyring of its own."""

    home: Path
    fingerprint: str
    public: Path
    """The public key, ASCII-armoured."""

    def sign_rpms(self, *rpms: Path) -> None:
        """Add signatures to RPM files. Raises CommandError."""
        run(
            Command(
                argv=(
                    "rpmsign", "--define", f"_gpg_name {self.fingerprint}",
                    "--define", f"_gpg_path {self.home}", "--define", f"__gpg {_program()}",
                    "--addsign", *map(str, rpms),
                ),
                timeout=600,
                env={"GNUPGHOME": str(self.home)},
            )
        )  # fmt: skip

    def sign_detached(self, document: Path) -> Path:
        """Write an ASCII-armoured signature beside a file and return it. Raises CommandError."""
        signature = document.with_name(f"{document.name}.asc")
        _gpg(
            self.home, "--local-user", self.fingerprint, "--output", str(signature), "--yes",
            "--armor", "--detach-sign", str(document),
        )  # fmt: skip
        return signature


@contextlib.contextmanager
def signing_key(folder: Path) -> Iterator[SigningKey]:
    """Open the lab's key, made at the first use; gpg's agent ends with the context."""
    cache.ensure(folder, cache.key_of(USER_ID, 1), _make)
    home = folder / "gnupg"
    try:
        yield SigningKey(
            home=home,
            fingerprint=(folder / "fingerprint").read_text().strip(),
            public=folder / KEY_NAME,
        )
    finally:
        _end_agent(home)


def _make(folder: Path) -> None:
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    try:
        _gpg(home, "--passphrase", "", "--quick-generate-key", USER_ID, "rsa3072", "sign", "never")
        listed = _gpg(home, "--with-colons", "--list-keys")
        (folder / KEY_NAME).write_text(_gpg(home, "--armor", "--export"))
    finally:
        # The agent would go on running, and its sockets lie in a folder that is about to move.
        _end_agent(home)
    fingerprint = next(line for line in listed.splitlines() if line.startswith("fpr:"))
    (folder / "fingerprint").write_text(fingerprint.split(":")[9] + "\n")


def _program() -> str:
    """Return gpg's path: Debian's rpm looks for the older name gpg2."""
    return shutil.which("gpg") or "gpg"


def _gpg(home: Path, *arguments: str) -> str:
    argv = ("gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback", *arguments)
    return run(Command(argv=argv, timeout=120)).text


def _end_agent(home: Path) -> None:
    run(Command(argv=("gpgconf", "--homedir", str(home), "--kill", "all"), timeout=60))
