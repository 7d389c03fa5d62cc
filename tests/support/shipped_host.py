"""Hosts as an image ships them: its admission program, its Python, its skopeo, its policy.

Nothing of the product runs in this process but what writes the policy into the image's root, as the
build does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from immutable_base.admission.folder import open_folder
from immutable_base.admission.host_key import host_key
from immutable_base.admission.lookaside import Lookaside
from immutable_base.build.admission_files import FOLDER, SETTINGS
from immutable_base.build.host_files import write_host_trust, write_whom_to_admit
from immutable_base.config.load import load_settings
from immutable_base.config.trust import load_trust
from immutable_base.image.program import mounted_image
from immutable_base.model.facts import ProgramOutput
from immutable_base.policy.host_trust import ADMISSION_KEY, key_files, variants_trust
from immutable_base.process import ANY_STATUS, run
from immutable_base.publish.as_host import REJECTED
from immutable_base.tools import bwrap
from immutable_base.tools.buildah import Storage
from support.forge import compact, key_signature, public_pem
from support.scene import Scene

STATE = str(Path(ADMISSION_KEY).parent)
AUTHORITY = "/run/authority.pem"
SECONDS = "60"
"""For one pull; a registry that says 429 is asked again and again for longer."""


@dataclass
class ShippedHost:
    """One host that follows what a scene has; what it pulls is thrown away."""

    root: Path
    """The image's root, mounted for hosts of this kind alone."""
    scene: Scene
    state: Path
    """What it has in /var/lib/immutable-base/admission; empty at first."""
    settings: dict = field(default_factory=dict)
    """Keys of the program's settings that differ."""

    def admit(self) -> ProgramOutput:
        """Run the program on what the scene's reference names."""
        write_whom_to_admit(self.root, load_trust(self.scene.config()), self.scene.folder, 0)
        path = self.root / FOLDER / SETTINGS
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in self.settings.items()]
        path.write_text(path.read_text() + "".join(lines))
        return self._within("immutable-base-admission", "admit", "--", self.scene.reference)

    def remember(self, admission) -> None:
        """Let the host have admitted something earlier."""
        with open_folder(self.state) as state, state.below("lookaside", make=True) as folder:
            Lookaside(folder=folder, key=host_key(state)).add(admission)

    def pull(self, seconds: str = SECONDS) -> ProgramOutput:
        """Pull what the scene's reference names, by the policy that is there."""
        return self._within(
            "timeout", seconds, "skopeo", "copy", "--quiet",
            f"docker://{self.scene.reference}", "dir:/tmp/pulled",
        )  # fmt: skip

    def _within(self, *argv: str) -> ProgramOutput:
        self.scene.site.next_reply = self.scene.reply
        self.state.mkdir(exist_ok=True)
        surroundings = bwrap.SharedFiles(
            environment={"SSL_CERT_FILE": AUTHORITY, "HOME": "/root"},
            readable={self.scene.authority: AUTHORITY},
            writable={self.state: STATE},
        )
        done = bwrap.run_in_root(run, self.root, argv, ok=ANY_STATUS, surroundings=surroundings)
        return ProgramOutput(status=done.status, text=f"{done.text}{done.stderr_tail}".strip())


def is_refusal(found: ProgramOutput) -> bool:
    """Tell whether it was the policy that refused, and not a registry that failed."""
    return found.status != 0 and REJECTED in found.text


@contextmanager
def shipped_roots(storage: Storage, image: str, scene: Scene, keys) -> Iterator[tuple[Path, Path]]:
    """Mount an image for hosts that admit, and for hosts that demand one of some keys.

    Both policies are rendered for the repositories of the scene's configuration.
    """
    settings = load_settings(scene.config())
    admitting = variants_trust(settings)
    assert admitting.keys == ()
    pems = [public_pem(key).decode() for key in keys]
    by_key = replace(admitting, keys=key_files(admitting.name, pems))
    with mounted_image(storage, image) as first, mounted_image(storage, image) as second:
        write_host_trust(first.root, admitting)
        write_host_trust(second.root, by_key)
        yield first.root, second.root


def sign_by_key_too(scene: Scene, key) -> None:
    """Let a key have signed the scene's image for its tag, beside whatever lies there.

    What lies there stays as it is, byte for byte; a manifest without `layers` stays without.
    """
    item = key_signature(key, scene.digest, f"{scene.repository}:latest")
    tag = f"{scene.digest.replace(':', '-')}.sig"
    raw = scene.registry.manifests.get(tag)
    if raw is None:
        scene.registry.attach(scene.digest, "sig", item)
        return
    scene.registry.add_blob(item.content)
    before, found, after = raw.partition(b'"layers":[')
    comma = b"" if after.startswith(b"]") else b","
    added = compact(item.descriptor()) + comma if found else b""
    scene.registry.manifests[tag] = before + found + added + after
