"""Every package of the plan, fetched once and verified before any build step sees it.

Checksums are those of the verified repository metadata; signatures are checked here, outside the
images, with exactly the key that the package's repository is configured with. So no key has to be
imported into an image's rpmdb, and a key of one repository cannot vouch for a package of another.
The keys are those that the plan holds: nobody can serve another one in between.
"""

from __future__ import annotations

import logging
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from immutable_base.build.inputs import BuildInputs
from immutable_base.download import Downloader, open_downloader
from immutable_base.errors import ImmutableBaseError, VerificationError
from immutable_base.model.checksum import Checksum
from immutable_base.model.plan import KeyPlan, Package
from immutable_base.process import LineSink, Runner
from immutable_base.repository.keys import PinnedKey, judge_planned
from immutable_base.tools import rpmkeys

log = logging.getLogger(__name__)

WORKERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A run's packages: files named by their checksum, and why others are missing."""

    folder: Path
    failures: Mapping[Checksum, ImmutableBaseError] = field(default_factory=dict)
    """Checksum of a package to the reason why it is not here."""

    def path(self, package: Package) -> Path:
        """Return where the verified file of a package is.

        Raises what fetching or verifying it raised.
        """
        if package.required in self.failures:
            raise self.failures[package.required]
        return self.folder / f"{package.required.file_stem}.rpm"


def fetch_packages(
    inputs: BuildInputs, packages: Sequence[Package], keys: Sequence[KeyPlan], report: LineSink
) -> Store:
    """Fetch packages, several at a time, and verify them with the keys of their plan.

    Nothing is raised for a package that cannot be fetched or is not what it should be: the store
    has the error for those that ask for it, so that only they fail.
    """
    settings = inputs.settings
    store = Store(folder=inputs.run_folder / "packages")
    report(f"{len(packages)} packages, {sum(package.size for package in packages) / 1e6:.0f} MB")
    with open_downloader(inputs.tls.authority) as downloader:
        failures = _fetch_all(downloader, store, packages)
    by_key: dict[str, list[Package]] = defaultdict(list)
    for package in packages:
        if package.required not in failures:
            by_key[settings.repositories[package.repository].key].append(package)
    planned = {key.name: key for key in keys}
    for name, group in sorted(by_key.items()):
        try:
            key = _key(inputs, name, planned)
            failures |= _verify_signatures(inputs.storage.run, key, store, group)
        except ImmutableBaseError as error:
            failures |= {package.required: error for package in group}
    for failure in failures.values():
        report(failure.message)
    return Store(folder=store.folder, failures=failures)


def _fetch_all(
    downloader: Downloader, store: Store, packages: Sequence[Package]
) -> dict[Checksum, ImmutableBaseError]:
    """Return, by checksum, why packages could not be fetched."""
    fetch = partial(_fetch, downloader, store)
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="fetch") as pool:
        errors = zip(packages, pool.map(fetch, packages), strict=True)
        return {package.required: error for package, error in errors if error is not None}


def _fetch(downloader: Downloader, store: Store, package: Package) -> ImmutableBaseError | None:
    what = f"the package {package.nevra} of '{package.repository}'"
    try:
        downloader.fetch_file(
            package.url, what, package.required, store.path(package), size=package.size
        )
    except ImmutableBaseError as error:
        log.info("%s", error)
        return error
    return None


def _key(inputs: BuildInputs, name: str, planned: Mapping[str, KeyPlan]) -> PinnedKey:
    """Return the plan's key, judged again: the configuration of today pins it as well."""
    if name not in planned:
        raise VerificationError(
            f"the plan has no key '{name}'",
            hint="was the configuration changed after the plan was made? make the plan again",
        )
    return judge_planned(inputs.storage.run, inputs.settings.keys[name], planned[name])


def _verify_signatures(
    run: Runner, key: PinnedKey, store: Store, packages: Sequence[Package]
) -> dict[Checksum, ImmutableBaseError]:
    """Return, by checksum, the error of each package that is not signed by this key."""
    files = {store.path(package): package for package in packages}
    with tempfile.TemporaryDirectory(prefix="rpmkeys-") as folder:
        bad = rpmkeys.unsigned(run, key.armored, tuple(files), Path(folder))
    return {
        files[path].required: _refusal(files[path], key.name, output)
        for path, output in bad.items()
    }


def _refusal(package: Package, key: str, output: str) -> VerificationError:
    return VerificationError(
        f"the package {package.nevra} of '{package.repository}' is not signed by the key '{key}'",
        details=output,
        hint="upstream may sign with a new key: compare it with theirs before you pin it",
    )
