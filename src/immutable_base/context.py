"""What one run works with, taken apart for the features that it is composed of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.config.load import load_settings
from immutable_base.config.schema import Settings
from immutable_base.documents import Documents
from immutable_base.download import open_downloader
from immutable_base.errors import ConfigurationError
from immutable_base.model.module_signer import ModuleSigner
from immutable_base.module_signing import read_signer
from immutable_base.plan.remote import PlanInputs
from immutable_base.policy.accepted import variants_accept
from immutable_base.process import Runner
from immutable_base.repository.keys import KeyFetcher
from immutable_base.repository.metadata import MetadataFetcher
from immutable_base.tls import Tls, set_up_tls
from immutable_base.tools.buildah import Storage
from immutable_base.trusted import signer_of
from immutable_base.trusted_keys import host_trust_of
from immutable_base.verification.complete.referrers import ReferrersOpener
from immutable_base.workspace import RUN_FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One run's surroundings; nothing below `run` knows it."""

    settings: Settings
    config_path: Path
    """The immutable-base.toml in use; relative paths in it start at its folder."""
    layers_folder: Path
    """The folder `layers/` with Containerfiles."""
    workspace: Path
    run: Runner
    tls: Tls = field(default_factory=Tls)
    clock: Callable[[], float] = time.time
    """Returns the seconds since 1970."""
    unsigned: bool = False
    """Whether modules are left unsigned although a certificate is configured."""
    open_reader: ReferrersOpener | None = None
    """How a verification reads a registry; None: over HTTPS."""

    @property
    def run_folder(self) -> Path:
        """Folder of this run: packages, logs, images on their way out, documents."""
        return self.workspace / RUN_FOLDER

    @property
    def logs(self) -> Path:
        """Folder of this run's logs, one file per node."""
        return self.run_folder / "log"

    @property
    def documents(self) -> Documents:
        """The documents of this run."""
        return Documents(self.run_folder)

    @property
    def storage(self) -> Storage:
        """Our own containers-storage; nothing else on the machine is touched."""
        return Storage(self.run, self.workspace / "storage")

    def module_signer(self) -> ModuleSigner | None:
        """Return who signs modules; None: nobody. Raises ConfigurationError as `read_signer`."""
        table = self.settings.module_signing
        if table is None or self.unsigned:
            return None
        return read_signer(table, self.config_path.parent, now=self.clock())

    @contextmanager
    def open_plan_inputs(self) -> Iterator[PlanInputs]:
        """Yield what a plan is made from; connections are closed at the end."""
        cache, signer = self.workspace / "cache", self.module_signer()
        trust = host_trust_of(self.settings, self.config_path.parent)
        by = signer_of(self.settings.signing.table())
        with open_metadata(self.settings, self.config_path, cache, self.run, self.tls) as metadata:
            yield PlanInputs(
                settings=self.settings,
                metadata=metadata,
                storage=self.storage,
                environment=self.tls.environment,
                cache=cache,
                now=self.clock(),
                module_signer=signer,
                hosts_accept=variants_accept(self.settings, trust, by),
            )

    def repository_of(self, variant: str) -> str:
        """Return the repository that a variant is published to, without a tag."""
        return self.settings.repository_of(variant)


@contextmanager
def open_metadata(
    settings: Settings, config_path: Path, cache: Path, run: Runner, tls: Tls
) -> Iterator[MetadataFetcher]:
    """Yield what fetches and verifies metadata; connections are closed at the end.

    Relative places of keys begin in the folder of `config_path`.
    """
    with open_downloader(tls.authority) as downloader:
        keys = KeyFetcher(
            run=run, downloader=downloader, keys=settings.keys, folder=config_path.parent
        )
        yield MetadataFetcher(
            keys=keys, repositories=settings.repositories, cache=cache / "metadata"
        )


def load_context(
    config: Path,
    workspace: Path,
    run: Runner,
    settings: Settings | None = None,
    *,
    unsigned: bool = False,
) -> Context:
    """Return the context of a configuration file; a private CA is made known to programs.

    `settings` are the file's, where they are known already; `unsigned` leaves modules unsigned.

    Raises ConfigurationError if the configuration cannot be used, or has no layers beside it.
    """
    config, workspace = config.resolve(), workspace.resolve()
    settings = settings or load_settings(config)
    layers = config.parent / "layers"
    if not layers.is_dir():
        raise ConfigurationError(
            f"there is no folder {layers}",
            hint="`layers/` with the Containerfiles belongs beside the configuration; "
            "`immutable-base init DIR` writes both",
        )
    return Context(
        settings=settings,
        config_path=config,
        layers_folder=layers.resolve(),
        workspace=workspace,
        run=run,
        unsigned=unsigned,
        tls=set_up_tls(settings.authority(config.parent), workspace),
    )
