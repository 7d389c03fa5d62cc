"""What an instance's commands work with: its repository, both configurations, and the job."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from immutable_base.config.instance import FILE_NAME, InstanceSettings, load_instance_settings
from immutable_base.config.load import load_settings
from immutable_base.config.schema import Settings
from immutable_base.config.signing import Signing
from immutable_base.config.trust import TrustSettings
from immutable_base.errors import ConfigurationError
from immutable_base.instance.ci_job import CiJob, read_job
from immutable_base.instance.instance_documents import InstanceDocuments
from immutable_base.model.reference import LONGEST, REPOSITORY
from immutable_base.policy.host_trust import HostTrust
from immutable_base.process import Runner, is_interrupted
from immutable_base.publish.publisher import Publisher
from immutable_base.tls import Tls, set_up_tls
from immutable_base.tools.buildah import Storage
from immutable_base.trusted import roots_of, signer_of
from immutable_base.trusted_keys import instance_trust_of
from immutable_base.verification.complete.referrers import ReferrersOpener
from immutable_base.verify import Verifier, registry_reader
from immutable_base.workspace import write_atomically

FOLDER = "instance"
"""In a workspace: the documents and the image of an instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceContext:
    """What an instance's commands work with; nothing of it is asked of anybody remote."""

    folder: Path
    """The instance's repository."""
    settings: InstanceSettings
    product: Settings
    config_path: Path
    """The product's configuration; `layers/` lies beside it."""
    workspace: Path
    job: CiJob
    run: Runner
    tls: Tls = field(default_factory=Tls)
    clock: Callable[[], float] = time.time
    """Returns the seconds since 1970."""
    open_reader: ReferrersOpener | None = None
    """How a verification reads a registry; None: over HTTPS."""

    @property
    def documents(self) -> InstanceDocuments:
        """The documents of this instance."""
        return InstanceDocuments(self.workspace / FOLDER)

    @property
    def storage(self) -> Storage:
        """Our own containers-storage; nothing else on the machine is touched."""
        return Storage(self.run, self.workspace / "storage")

    @property
    def repository(self) -> str:
        """Return where the instance is published, without a tag.

        Raises ConfigurationError if nobody says where, or no registry could have it.
        """
        given = self.settings.registry.destination
        # GitLab's own variable is in small letters; projects that are called otherwise are not.
        found = given or self.job.registry_image.lower()
        if not found:
            raise ConfigurationError(
                "nobody says where the instance is published: CI_REGISTRY_IMAGE is not set",
                hint=f'in {FILE_NAME}: [registry] destination = "registry.example.com/group/name"; '
                "in GitLab: is the project's container registry on?",
            )
        if len(found) > LONGEST or REPOSITORY.fullmatch(found) is None:
            lower = f": '{found.lower()}'" if REPOSITORY.fullmatch(found.lower()) else ""
            raise ConfigurationError(
                f"'{found}' cannot be a repository in a registry",
                hint=f"its path has small letters and digits, and . _ - between them{lower}",
            )
        return found

    @property
    def name(self) -> str:
        """Return what the instance is called: the last part of where it is published."""
        return self.repository.rpartition("/")[2]

    @property
    def signing(self) -> Signing:
        """Return who signs the instance.

        Raises ConfigurationError if GitLab does not say what a default identity is made of.
        """
        if self.settings.signing is not None:
            return self.settings.signing
        # `accept_everything` stays: hosts of an instance can check no more than those of its base.
        known = self.product.signing.model_dump()
        known |= {
            "certificate_identity": self.job.identity,
            "certificate_oidc_issuer": self.job.server_url,
            "project_id": "", "runner_environment": "", "build_triggers": (), "source_ref": "",
            "protected_ref": True, "keys": None, "fleet": None, "accept_unsigned": (),
        }  # fmt: skip
        try:
            return Signing.model_validate(known)
        except ValidationError as error:
            raise ConfigurationError(
                f"no certificate can name {self.job.identity} of {self.job.server_url}",
                details="\n".join(
                    f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
                    for item in error.errors(include_url=False)
                ),
                hint=f"set [signing] in {FILE_NAME}",
            ) from error

    @property
    def host_trust(self) -> HostTrust:
        """Return what the instance's image says about itself, beside what its base says.

        Raises ConfigurationError if a public key's file is missing or is none.
        """
        return instance_trust_of(self.name, self.repository, self.signing, self._signing_folder)

    @property
    def admitted(self) -> tuple[TrustSettings, Path]:
        """Return whom the instance's hosts admit images of, and where its relative paths begin."""
        trust = TrustSettings(
            signing=self.signing.table(),
            destination=self.repository,
            # Absolute: the product's files are elsewhere than the instance's.
            ca_bundle=str(self.product.authority(self.config_path.parent) or ""),
            mirrors=(),
            variants=(),
        )
        return trust, self._signing_folder

    @property
    def _signing_folder(self) -> Path:
        """Where relative paths of `signing` begin."""
        return self.folder if self.settings.signing is not None else self.config_path.parent

    def verifier(self) -> Verifier:
        """Return who verifies the instance's own images."""
        return self._verifier(self.signing, self._signing_folder)

    def publisher(self) -> Publisher:
        """Return who signs the instance's own images, and publishes them."""
        return Publisher.of(
            self.signing,
            self._signing_folder,
            verifier=self.verifier(),
            run=self.run,
            environment=self.tls.environment,
        )

    def base_verifier(self) -> Verifier:
        """Return who verifies base images."""
        if self.settings.base.signing is not None:
            return self._verifier(self.settings.base.signing, self.folder)
        found = self._verifier(self.product.signing, self.config_path.parent)
        return replace(found, mirrors=self.product.trust().mirrored())

    def _verifier(self, signing: Signing, folder: Path) -> Verifier:
        table = signing.table()
        return Verifier(
            signer=signer_of(table),
            roots=roots_of(table, folder),
            open_reader=self.open_reader or partial(registry_reader, self.tls.authority),
            interrupted=is_interrupted,
        )


def load_instance_context(
    folder: Path, config: Path, workspace: Path, run: Runner, environment: Mapping[str, str]
) -> InstanceContext:
    """Return what the commands of an instance in `folder` work with.

    `config` is the product's configuration, `environment` the job's. Private CAs are made known to
    programs. Raises ConfigurationError if one of them cannot be used.
    """
    folder, config, workspace = folder.resolve(), config.resolve(), workspace.resolve()
    if not config.exists():
        raise ConfigurationError(
            f"there is no {config}: it says who must have signed base images",
            hint="the image of the jobs has one, which the template names; elsewhere name it with "
            "--config or $IMMUTABLE_BASE_CONFIG",
        )
    settings, product = load_instance_settings(folder), load_settings(config)
    job = read_job(environment)
    authority = _authority(
        workspace,
        {
            "registry.ca_bundle of the product's configuration": product.authority(config.parent),
            f"registry.ca_bundle of {FILE_NAME}": _file(settings.registry.ca_bundle, folder),
            "CI_SERVER_TLS_CA_FILE": _file(job.server_ca, folder),
        },
    )
    return InstanceContext(
        folder=folder,
        settings=settings,
        product=product,
        config_path=config,
        workspace=workspace,
        job=job,
        run=run,
        tls=set_up_tls(authority, workspace),
    )


def _file(name: str, folder: Path) -> Path | None:
    return (folder / name).resolve() if name else None


def _pem(name: str, path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{name}: {path} is no PEM file",
            hint="`openssl x509 -inform der -in FILE` writes a DER file as PEM",
        ) from error


def _authority(workspace: Path, given: Mapping[str, Path | None]) -> Path | None:
    """Return one file with all private CAs, None without any."""
    files = {}
    for name, path in given.items():
        if path is not None and not path.is_file():
            raise ConfigurationError(f"{name}: there is no file {path}")
        if path is not None:
            files[path] = _pem(name, path)
    texts = list(dict.fromkeys(files.values()))
    if len(texts) <= 1:
        return next(iter(files), None)
    together = workspace / "authorities.pem"
    text = "\n".join(texts)
    if not together.is_file() or together.read_text() != text:
        write_atomically(together, text)
    return together
