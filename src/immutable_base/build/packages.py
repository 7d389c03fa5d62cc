"""Every package of the plan, fetched once and verified before any build step sees it.

Checksums are those of the verified repository metadata; signatures are checked here, outside the
images, with exactly the key that the package's repository is configured with. So no key has to be
imported into an image's rpmdb, and a key of one repository cannot vouch for a package of another.
"""

from __future__ import annotations

import logging
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.context import Context
from immutable_base.download import Checksum, Remote, open_remote
from immutable_base.errors import ImmutableBaseError, VerificationError
from immutable_base.model.plan import Package
from immutable_base.process import LineSink
from immutable_base.repository.keys import fetch_key
from immutable_base.tools import rpmkeys

log = logging.getLogger(__name__)

WORKERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Tonight's packages: files named by their sha256, and what could not be had."""

    folder: Path
    failures: Mapping[str, ImmutableBaseError] = field(default_factory=dict)
    """sha256 of a package to the reason why it is not here."""

    def path(self, package: Package) -> Path:
        """Return where the verified file of a package is.

        Raises what fetching or verifying it raised.
        """
        if package.sha256 in self.failures:
            raise self.failures[package.sha256]
        return self.folder / f"{package.sha256}.rpm"


def fetch_packages(context: Context, packages: Iterable[Package], say: LineSink) -> Store:
    """Fetch and verify packages, several at a time.

    Nothing is raised for a package that cannot be had or is not what it should be: the store keeps
    the error for those that ask for it, so that only they fail.
    """
    wanted = tuple(packages)
    store = Store(folder=context.tonight / "packages")
    say(f"{len(wanted)} packages, {sum(package.size for package in wanted) / 1e6:.0f} MB")
    with open_remote(context) as remote:
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="fetch") as pool:
            results = pool.map(lambda package: _fetch(remote, store, package), wanted)
            failures = {p.sha256: e for p, e in zip(wanted, results, strict=True) if e is not None}
        here = [package for package in wanted if package.sha256 not in failures]
        failures |= _verify_signatures(context, remote, store, here)
    for error in failures.values():
        say(error.message)
    return Store(folder=store.folder, failures=failures)


def _fetch(remote: Remote, store: Store, package: Package) -> ImmutableBaseError | None:
    checksum = Checksum("sha256", package.sha256, package.size)
    what = f"the package {package.nevra} of '{package.repository}'"
    try:
        remote.to_file(package.url, what, checksum, store.path(package))
    except ImmutableBaseError as error:
        log.info("%s", error)
        return error
    return None


def _verify_signatures(
    context: Context, remote: Remote, store: Store, packages: Iterable[Package]
) -> dict[str, ImmutableBaseError]:
    by_key: dict[str, list[Package]] = defaultdict(list)
    for package in packages:
        by_key[context.settings.repositories[package.repository].key].append(package)
    failures: dict[str, ImmutableBaseError] = {}
    for name, group in sorted(by_key.items()):
        try:
            armored = fetch_key(context, remote, name).armored
            files = {store.path(package): package for package in group}
            with tempfile.TemporaryDirectory(prefix="rpmkeys-") as folder:
                bad = rpmkeys.unsigned(context.run, armored, tuple(files), Path(folder))
            failures |= {
                files[path].sha256: _refusal(files[path], name, w) for path, w in bad.items()
            }
        except ImmutableBaseError as error:
            failures |= {package.sha256: error for package in group}
    return failures


def _refusal(package: Package, key: str, words: str) -> VerificationError:
    return VerificationError(
        f"the package {package.nevra} of '{package.repository}' is not signed by the key '{key}'",
        details=words,
        hint="upstream may sign with a new key: compare it with theirs before you pin it",
    )
