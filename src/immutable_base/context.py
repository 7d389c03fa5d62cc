"""What every stage needs, passed on explicitly: settings, folders, storage, trust, a runner."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base.errors import ConfigurationError
from immutable_base.process import Runner
from immutable_base.tools.buildah import Storage
from immutable_base.workspace import write_atomically

# Where the usual distributions keep the CA bundle (Debian, Fedora/EL).
DEBIAN_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
SYSTEM_BUNDLES = (DEBIAN_BUNDLE, "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One night's surroundings."""

    settings: Settings
    config_path: Path
    """The immutable-base.toml in use; relative paths in it start at its folder."""
    layers_folder: Path
    """The folder `layers/` with Containerfiles."""
    workspace: Path
    run: Runner

    @property
    def tonight(self) -> Path:
        """Folder of this run: packages, logs, images on their way out, documents."""
        return self.workspace / "tonight"

    @property
    def logs(self) -> Path:
        """Folder of this run's logs, one file per node."""
        return self.tonight / "log"

    @property
    def storage(self) -> Storage:
        """Our own containers-storage; nothing else on the machine is touched."""
        return Storage(self.run, self.workspace / "storage")

    def file(self, name: str) -> Path:
        """Return a file that the configuration names."""
        return (self.config_path.parent / name).resolve()

    def ca_bundle(self) -> Path | None:
        """Return the file of the configured private CA, None if there is none.

        Raises ConfigurationError if the file is not there.
        """
        name = self.settings.registry.ca_bundle
        if not name:
            return None
        path = self.file(name)
        if not path.is_file():
            raise ConfigurationError(f"registry.ca_bundle: there is no file {path}")
        return path

    def tls_environment(self) -> Mapping[str, str]:
        """Return the environment in which programs trust the configured private CA as well.

        Go's crypto/x509 reads one bundle, named by SSL_CERT_FILE; so ours is the system's plus
        the CA. Empty when no CA is configured.
        """
        authority = self.ca_bundle()
        if authority is None:
            return {}
        system = [os.environ.get("SSL_CERT_FILE", ""), *SYSTEM_BUNDLES]
        parts = [Path(path).read_text() for path in system if path and Path(path).is_file()][:1]
        bundle = self.workspace / "ca-bundle.pem"
        text = "\n".join([*parts, authority.read_text()])
        if not bundle.is_file() or bundle.read_text() != text:
            write_atomically(bundle, text)
        return {"SSL_CERT_FILE": str(bundle)}
