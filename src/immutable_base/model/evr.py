"""Versions and full names of packages as rpm writes them."""

from __future__ import annotations

from dataclasses import dataclass

from immutable_base.errors import VerificationError


class MalformedVersionError(VerificationError):
    """A text that no package can have as its version."""


@dataclass(frozen=True, slots=True)
class Evr:
    """`[epoch:]version[-release]`. Which of two is newer only libsolv tells: solver/order.py."""

    epoch: int
    version: str
    release: str = ""

    @classmethod
    def parse(cls, text: str) -> Evr:
        """Take a version apart; epoch 0 and no release where they are left out.

        Raises MalformedVersionError if the epoch is no number.
        """
        epoch, colon, rest = text.partition(":")
        if not colon:
            epoch, rest = "0", text
        if not (epoch.isascii() and epoch.isdigit()):
            raise MalformedVersionError(f"the epoch of `{text}` is no number")
        version, dash, release = rest.rpartition("-")
        return cls(int(epoch), version, release) if dash else cls(int(epoch), rest)

    def __str__(self) -> str:
        """Return it as rpm prints it: epoch 0 is left out."""
        prefix = f"{self.epoch}:" if self.epoch else ""
        return f"{prefix}{self.without_epoch}"

    @property
    def without_epoch(self) -> str:
        """`version[-release]`, as in file names and what `rpm -qa` prints."""
        return f"{self.version}-{self.release}" if self.release else self.version


@dataclass(frozen=True, slots=True)
class Nevra:
    """`name-[epoch:]version-release.arch`: one exact package."""

    name: str
    evr: Evr
    arch: str

    def __str__(self) -> str:
        """Return it as dnf takes it on its command line."""
        return f"{self.name}-{self.evr}.{self.arch}"

    @property
    def file_name(self) -> str:
        """The package file's name, which has no epoch."""
        return f"{self.name}-{self.evr.without_epoch}.{self.arch}.rpm"
