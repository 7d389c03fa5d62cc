"""Nights of the tiny stream, published where no other test looks, one after the other."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.config.load import load_settings
from immutable_base.process import run
from immutable_base.publish.publisher import sigstore_of
from immutable_base.tls import set_up_tls
from immutable_base.tools import cosign, skopeo
from support.changed_configuration import NO_BOOTS, change_configuration
from support.foreign_images import push_twin
from support.machines import prepared_machine
from support.running_hosts import Host


@dataclass(frozen=True)
class Published:
    """What a night has published."""

    repository: str
    digest: str
    tonight: Path
    """Its documents and layouts."""

    @property
    def pinned(self) -> str:
        return f"{self.repository}@{self.digest}"

    @property
    def latest(self) -> str:
        return f"{self.repository}:latest"


@dataclass
class Publisher:
    """One variant's publisher; each of its images says another description."""

    lab: object
    variant: str
    configuration: Path
    folder: Path
    environment: dict = field(default_factory=dict)
    _nights: int = 0

    @classmethod
    def make(cls, lab, variant: str, source: Path, folder: Path, namespace: str, *changes):
        """Return one with a configuration of its own, below a new namespace of the lab's registry.

        What an earlier run published would be what hosts follow: after a rotation of its keys a
        publication by the first one is refused.
        """
        workspace = lab.room(namespace)
        shutil.rmtree(workspace, ignore_errors=True)
        destination = re.search('destination = "(.*)"', source.read_text())[1]
        place = f"{destination}/{namespace}-{secrets.token_hex(4)}"
        moved = (f'destination = "{destination}"', f'destination = "{place}"')
        folder.mkdir(exist_ok=True)
        off = [NO_BOOTS] if NO_BOOTS[0] in source.read_text() else []
        return cls(
            lab, variant, change_configuration(source, folder, moved, *off, *changes), workspace
        )

    def product(self, *arguments, workspace=None):
        env = {**self.environment, "IMMUTABLE_BASE_CONFIG": str(self.configuration)}
        return self.lab.product(*arguments, env=env, workspace=workspace or self.folder)

    def night(self) -> Published:
        """Build, check, sign and publish another image of the variant."""
        done = self.try_night()
        assert done.returncode == 0, done.stderr + done.stdout
        (row,) = json.loads(done.stdout)["variants"]
        repository, _, digest = row["reference"].partition("@")
        return Published(repository, digest, self.folder / str(self._nights) / "tonight")

    def try_night(self):
        """Do the same, and return how the run ended."""
        self._nights += 1
        text = self.configuration.read_text()
        marked = re.sub(
            r"(description = \"[^\"]*?)( \(night \d+\))?\"", rf'\1 (night {self._nights})"', text
        )
        self.configuration.write_text(marked)
        workspace = self.folder / str(self._nights)
        return self.product(
            "run", "--variant", self.variant, "--format", "json", workspace=workspace
        )

    def host(self, published: Published, folder: Path) -> Host:
        """Install a published image on a machine."""
        folder.mkdir(parents=True)
        machine, digest = prepared_machine(published.tonight, self.variant, folder)
        assert digest == published.digest
        registry = re.match("[^/]*", published.repository)[0]
        authority = (self.lab.state / "trust/ca.pem").read_bytes()
        return Host(machine, folder, registry, authority)

    @property
    def tls(self) -> dict:
        """The environment of programs that talk to the registry."""
        folder = self.configuration.parent
        authority = load_settings(self.configuration).authority(folder)
        return dict(set_up_tls(authority, self.configuration.parent).environment)

    def twin(self, published: Published, words: str) -> str:
        """Push another, unsigned manifest of a published image, and return its name."""
        layout = published.tonight / "oci" / self.variant
        return push_twin(layout, self.folder / f"twin-{words}", published.repository, self.tls)

    def tag(self, pinned: str, tag: str) -> str:
        """Move a tag to an image of the same repository; return the reference."""
        reference = f"{pinned.partition('@')[0]}:{tag}"
        skopeo.move_tag(run, pinned, reference, self.tls)
        return reference

    def sign(self, pinned: str, token: str) -> None:
        """Sign an image keyless, as the job that the token is of."""
        cosign.sign(run, pinned, self._sigstore, token)

    def sign_with_key(self, pinned: str, key: cosign.ImageKey, tag: str = "latest") -> None:
        identity = f"{pinned.partition('@')[0]}:{tag}"
        cosign.sign_with_key(run, pinned, self._sigstore, key, identity=identity)

    @property
    def _sigstore(self) -> cosign.Sigstore:
        signing = load_settings(self.configuration).signing
        environment = {**self.tls, "PATH": self.lab.env["PATH"]}
        return sigstore_of(signing.table(), self.configuration.parent, environment)
