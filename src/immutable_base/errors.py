"""Every deliberate error: a sentence, the program's own output, a next step, and an exit code."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
"""What may move a cursor, change a colour, or show text in another order than it has: control
characters but tab and line feed, and Unicode's directional and invisible ones."""
EXIT_BUG = 1
EXIT_HELD = 3
"""Only where it is asked for: nothing failed, and a variant is held."""
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def printable(text: str) -> str:
    """Return foreign text so that a terminal shows it and does nothing else with it."""
    return UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class ImmutableBaseError(Exception):
    """A failure that a person can act on.

    `message` is one sentence, `details` the output of the program that failed (lines), `hint` the
    next step. `exit_code` is a class attribute: see docs/reference/exit-codes.md.
    """

    exit_code = 5

    def __init__(
        self, message: str, *, hint: str | None = None, details: str | None = None
    ) -> None:
        # Registries and programs speak in all three; nothing of it may act on a terminal.
        self.message = printable(message)
        self.hint = printable(hint) if hint is not None else None
        self.details = printable(details) if details is not None else None
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the whole error as the terminal shows it."""
        lines = [self.message]
        if self.details:
            lines += [f"  | {line}" for line in self.details.rstrip().splitlines()]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class ConfigurationError(ImmutableBaseError):
    """Arguments, the configuration, a file that it names or an identity token cannot be used."""

    exit_code = 2


class HostError(ImmutableBaseError):
    """This host cannot do it: no root, space or Python module, or another run is at work."""

    exit_code = 4


FIXABLE = {
    errno.EACCES, errno.EBUSY, errno.EDQUOT, errno.EEXIST, errno.EIO, errno.EISDIR, errno.ELOOP,
    errno.EMFILE, errno.ENAMETOOLONG, errno.ENFILE, errno.ENOSPC, errno.ENOTDIR, errno.EPERM,
    errno.EROFS,
}  # fmt: skip
"""Refusals of a disk or a permission, or another kind of file in a place of ours: a person can fix
them. Other OSErrors are bugs of ours."""


def host_error(error: BaseException) -> HostError | None:
    """Return a refusal of a disk or a permission as an error of this host, None for any other.

    Of a link that leads to itself Python before 3.13 makes a RuntimeError.
    """
    if isinstance(error, RuntimeError) and isinstance(error.__context__, OSError):
        error = error.__context__
    if not isinstance(error, OSError) or error.errno not in FIXABLE:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return HostError(
        f"{where}{error.strerror}",
        hint="free some space, change permissions, or work elsewhere with --workspace",
    )


OUT_OF_SPACE = re.compile(
    r"no space left on device|more space needed on the|database or disk is full"
    r"|min-free-space-(percent|size) \S+ would be exceeded",
    re.IGNORECASE,
)
"""ENOSPC in a program's output, dnf's refusal to begin what would not fit, SQLite's own error, and
ostree's refusal to fill a disk (throw_min_free_space_error in its ostree-repo-commit.c)."""


OUT_OF_SPACE_HINT = "free some space, or work on another disk with --workspace"


def is_out_of_space(output: str) -> bool:
    """Tell whether a program's output says that the disk is full."""
    return OUT_OF_SPACE.search(output) is not None


class ToolMissingError(HostError):
    """A program that is needed is not installed."""


class PlanError(ImmutableBaseError):
    """No image can be planned from what the base image and the repositories offer.

    For instance: packages that do not fit together, no kernel-devel for a kernel, no version of a
    module's branch, a module package without Linux-Maximum, a base image with two kernels.
    """

    exit_code = 5


class CommandError(ImmutableBaseError):
    """An external program failed, took too long, or wrote something that is not understood."""

    exit_code = 5


class RemoteError(ImmutableBaseError):
    """A remote service failed or could not be reached; trying again may help."""

    exit_code = 6


class UnavailableError(RemoteError):
    """A remote service is not to be had at the moment: no answer, or one that says try later."""


class TooLargeError(RemoteError):
    """A remote service sends more than there should be."""


@contextmanager
def foreign_data(what: str, kind: type[ImmutableBaseError] = RemoteError) -> Iterator[None]:
    """Make an error of this data out of what a reader raises at a form that nobody foresaw.

    `what` begins the sentence. Raises an error of `kind`; deliberate errors pass through.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        log.debug("%s cannot be read", what, exc_info=True)
        raise kind(
            f"{what} cannot be read: it has a form that was not foreseen",
            details=f"{type(error).__name__}: {str(error)[:500]}",
            hint="if it is in order for other programs, please report this with the output of -v",
        ) from error


class CheckError(ImmutableBaseError):
    """A built image, or its SBOM, is not what its plan promised."""

    exit_code = 10


class VerificationError(ImmutableBaseError):
    """A signature, checksum, key or identity is missing or not the one that is required."""

    exit_code = 12


class NotSignedError(VerificationError):
    """An image has no signature, or no SBOM attestation, at all."""

    exit_code = 13


class TooOldError(VerificationError):
    """An image was signed longer ago than is allowed, or a clock is ahead."""


class OtherSignerError(VerificationError):
    """What is signed or attested holds, but only others than the required signer vouch for it."""

    exit_code = 14


class BrokenProofError(VerificationError):
    """A signature, an attestation or a manifest is not what it claims to be."""

    exit_code = 15


class NoSuchImageError(VerificationError):
    """The registry answers, and has no image under that tag or digest."""

    exit_code = 16


class FullSbomError(VerificationError):
    """The full SBOM beside an image is not there, or not the one that the attested SBOM names."""

    exit_code = 17


class MissingFullSbomError(FullSbomError):
    """The registry has no full SBOM of an image, or its attested SBOM names none."""


class SwappedFullSbomError(FullSbomError):
    """The full SBOM that the registry has is another one than the attested SBOM names."""


class OtherFullSbomError(FullSbomError):
    """The full SBOM that the registry has beside an image is about another image."""


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of any error; what is not one of ours is a bug."""
    return error.exit_code if isinstance(error, ImmutableBaseError) else EXIT_BUG
