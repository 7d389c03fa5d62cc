"""Bring the trust in Sigstore's public instance up to date, by TUF.

Every update starts from the root that is shipped, and follows each rotation since. What an update
has brought stays as it is until a whole newer one is verified.
Source: The Update Framework Specification 1.0, 5 ("Detailed client workflow").
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tuf.api import exceptions
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from immutable_base.errors import ConfigurationError, RemoteError, VerificationError
from immutable_base.public_trust import (
    PINNED_ROOT,
    STORED,
    is_older,
    public_trust,
    shipped_trust,
    stored_trust,
)
from immutable_base.state import trust_folder
from immutable_base.verification.client import Client
from immutable_base.verification.roots import TrustRoots, public_roots
from immutable_base.workspace import exclusive, write_atomically

REPOSITORY = "https://tuf-repo-cdn.sigstore.dev"
"""The public instance's TUF repository; source: sigstore-python, `DEFAULT_TUF_URL`."""
TARGET = "trusted_root.json"
LARGEST = 8 << 20
"""Bytes of any file of the repository; TUF's own limits are lower."""
METADATA = "tuf"
"""Folder of the metadata that was verified last: nothing older is accepted."""
REASONS: tuple[tuple[type[exceptions.RepositoryError], str, str], ...] = (
    (
        exceptions.ExpiredMetadataError,
        "its metadata has expired",
        "is this machine's clock right? If so, somebody may keep newer metadata back",
    ),
    (
        exceptions.BadVersionNumberError,
        "it serves another version of its metadata than it must",
        "somebody may offer an old copy; ask another mirror, or the original",
    ),
    (
        exceptions.UnsignedMetadataError,
        "too few of the trusted keys have signed its metadata",
        "somebody may have changed it; ask another mirror, or the original",
    ),
    (
        exceptions.LengthOrHashMismatchError,
        "it serves something else than its metadata describes",
        "a mirror in the middle of an update, or somebody changed it; try again later",
    ),
    (exceptions.RepositoryError, "its metadata cannot be read", "is that a TUF repository?"),
)
"""Kinds of TUF's refusals, the particular ones first: what each of them means, and what to do."""
KEPT = "what was trusted before is still there, and in use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What an update brought."""

    roots: TrustRoots
    """The trust that counts from now on."""
    is_new: bool
    """Whether it is another one than before."""


class _Fetcher(FetcherInterface):
    """TUF's questions, asked by our own client: over TLS only, and limited in time."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def _fetch(self, url: str) -> Iterator[bytes]:
        answer = self._client.get(url, {}, LARGEST)
        if answer.status != 200:
            raise exceptions.DownloadHTTPError(f"the server answers {answer.status}", answer.status)
        return iter((answer.body,))


def update_trust(client: Client, *, instance: str, repository: str = REPOSITORY) -> Updated:
    """Fetch the newest trust, verify it and keep it for every verification from now on.

    `repository` is the URL of the TUF repository, or of a copy of it. Raises RemoteError if it
    cannot be read, VerificationError if it is not what its owners have signed, has expired or is
    older than what is known; in each case what was known stays.
    """
    folder = trust_folder()
    with exclusive(folder, command="trust update", option="$XDG_STATE_HOME"):
        raw = client.deadline.hold(lambda: _fetch(client, folder / METADATA, repository))
        path = folder / STORED
        try:
            found = public_roots(raw, instance=instance, source=str(path))
        except ConfigurationError as error:
            raise VerificationError(
                f"{repository} offers a {TARGET} that cannot be used: {KEPT}",
                details=f"{error.message}\n{error.details or ''}",
            ) from error
        _refuse_older(found, repository)
        is_new = not _is_stored(raw, path, instance)
        if is_new:
            write_atomically(path, raw)
    return Updated(roots=found, is_new=is_new)


def _is_stored(raw: bytes, path: Path, instance: str) -> bool:
    """Tell whether exactly this was kept before, and can be used."""
    with suppress(ConfigurationError):
        return stored_trust(instance) is not None and path.read_bytes() == raw
    return False


def trusted_until() -> str | None:
    """Return when the metadata of the last update expires (RFC 3339), None without an update."""
    folder = trust_folder() / METADATA
    found = []
    for role in ("root", "timestamp", "snapshot", "targets"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            found.append(
                str(json.loads((folder / f"{role}.json").read_text())["signed"]["expires"])
            )
    return min(found, default=None)


def _refuse_older(found: TrustRoots, repository: str) -> None:
    """Refuse what is older than the trust in use, though its signatures hold.

    TUF itself compares with the metadata of the last update, which may be lost.
    """
    known = [shipped_trust(found.instance)]
    with suppress(ConfigurationError):  # What cannot be used any more is replaced.
        known.append(public_trust(found.instance))
    if any(is_older(found, one) for one in known):
        raise VerificationError(
            f"{repository} offers an older {TARGET} than the one in use: {KEPT}",
            details=f"in use: {known[-1].source}",
            hint="somebody may offer an old copy; ask another mirror, or the original",
        )


def _fetch(client: Client, metadata: Path, repository: str) -> bytes:
    metadata.mkdir(parents=True, exist_ok=True)
    with (
        closing(client),
        _telling(repository),
        tempfile.TemporaryDirectory(prefix="immutable-base-trust-") as work,
    ):
        updater = Updater(
            metadata_dir=str(metadata),
            metadata_base_url=repository,
            target_base_url=f"{repository.rstrip('/')}/targets/",
            fetcher=_Fetcher(client),
            bootstrap=PINNED_ROOT.read_bytes(),
        )
        target = updater.get_targetinfo(TARGET)
        if target is None:
            raise VerificationError(f"{repository} has no {TARGET}: {KEPT}")
        return Path(updater.download_target(target, str(Path(work) / TARGET))).read_bytes()


@contextmanager
def _telling(repository: str) -> Iterator[None]:
    """Turn TUF's refusals into errors of ours."""
    try:
        yield
    except exceptions.DownloadLengthMismatchError as error:
        raise VerificationError(
            f"{repository} is not accepted: it sends more than its metadata allows: {KEPT}",
            details=str(error),
        ) from error
    except exceptions.DownloadError as error:
        cause = error.__cause__ or error
        raise RemoteError(
            f"{repository} cannot be read: {KEPT}",
            details=str(getattr(cause, "details", None) or cause),
            hint="is the network up, and does this machine trust the server's certificate "
            "(registry.ca_bundle)? `--mirror` asks a copy",
        ) from error
    except exceptions.RepositoryError as error:
        reason, hint = next((why, do) for kind, why, do in REASONS if isinstance(error, kind))
        raise VerificationError(
            f"{repository} is not accepted: {reason}: {KEPT}",
            details=str(error),
            hint=hint,
        ) from error
