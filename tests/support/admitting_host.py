"""A host with the admission program, and what its container tools would take.

The second part is written from containers/container-libs alone and shares no line with the program:
what it takes is what a policy.json with the host's `keyPath` takes. tests/lab has the real skopeo.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from immutable_base.admission.command import main
from immutable_base.admission.folder import open_folder
from immutable_base.admission.host import Host
from immutable_base.admission.host_key import host_key
from immutable_base.admission.lookaside import Lookaside
from immutable_base.build.admission_files import FOLDER, admission_files
from immutable_base.config.trust import load_trust
from immutable_base.errors import ConfigurationError
from support.forge import digest_of
from support.scene import Outcome, Scene


class BrokenLookasideError(Exception):
    """A file cannot be parsed: container tools refuse the image, whatever lies beside it."""


def would_take(lookaside: Path, key: Path, reference: str, digest: str) -> bool:
    """Tell whether a pull is taken by `sigstoreSigned`, `keyPath` and the default signedIdentity.

    Files are read from number 1 up to the first gap; one good signature is enough.
    """
    name, _, pinned = reference.partition("@")
    host, _, path = name.partition("/")
    path, _, tag = path.partition(":")
    folder = lookaside / f"{path}@{digest.replace(':', '=')}"
    signatures = []
    while (file := folder / f"signature-{len(signatures) + 1}").exists():
        signatures.append(_parse(file.read_bytes()))
    public = load_pem_public_key(key.read_bytes())
    return any(_accepts(public, one, f"{host}/{path}", tag, pinned, digest) for one in signatures)


def _parse(raw: bytes) -> dict:
    head, newline, rest = raw.partition(b"\n")
    if head != b"\0sigstore-json" or not newline:
        raise BrokenLookasideError(raw[:40])
    try:
        return json.loads(rest)
    except ValueError as error:
        raise BrokenLookasideError(str(error)) from error


def _accepts(public, signature, repository, tag, pinned, digest) -> bool:
    payload = base64.b64decode(signature["payload"])
    given = signature["annotations"]["dev.cosignproject.cosign/signature"]
    try:
        public.verify(base64.b64decode(given), payload, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    document = json.loads(payload)
    assert set(document) == {"critical", "optional"}
    critical = document["critical"]
    assert critical["type"] == "cosign container image signature"
    assert isinstance(document["optional"]["timestamp"], int)
    named = critical["identity"]["docker-reference"]
    fits = (
        named.partition("@")[0].rpartition(":")[0] == repository
        or named == f"{repository}@{pinned}"
        if pinned and not tag
        else named == f"{repository}:{tag or 'latest'}" + (f"@{pinned}" if pinned else "")
    )
    return fits and critical["image"]["docker-manifest-digest"] == digest


@dataclass
class AdmittingHost:
    """A host that follows what a scene has."""

    scene: Scene
    root: Path
    settings: dict = field(default_factory=dict)
    """Keys of the settings that differ."""
    status: str | None = None
    """What bootc says; None: there is no bootc."""

    def __post_init__(self):
        self.root.mkdir(exist_ok=True)
        self.state = self.root / "state"
        self.lookaside = self.state / "lookaside"
        self.key = self.state / "host.pub"

    def bootc(self) -> str:
        """Write a bootc that says what it shall say."""
        path = self.root / "bootc"
        if self.status is not None:
            (self.root / "status.json").write_text(self.status)
            path.write_text(
                f'#!/bin/sh\n[ "$*" = "status --json --format-version=1" ] && cat {self.root}/status.json\n'
            )
            path.chmod(0o755)
        return str(path)

    def write_settings(self) -> Path:
        """Write what the image build writes for this configuration."""
        trust = load_trust(self.scene.config())
        for name, content in admission_files(trust, self.scene.folder, 0).items():
            if name.startswith(FOLDER):
                path = self.root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        path = self.root / FOLDER / "admission.toml"
        changed = {"state": str(self.state), **self.settings}
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in changed.items()]
        path.write_text(path.read_text() + "".join(lines))
        return path

    def command(self, *arguments) -> Outcome:
        """Run the program, as the unit does."""
        self.scene.site.next_reply = self.scene.reply
        out, err = io.StringIO(), io.StringIO()
        try:
            settings = self.write_settings()
        except ConfigurationError as error:  # The image is not built at all.
            return Outcome(error.exit_code, "", str(error))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(
                ["--settings", str(settings), *map(str, arguments)],
                Host(root=self.root, bootc=self.bootc()),
            )
        return Outcome(code, out.getvalue(), err.getvalue())

    def remember(self, admission) -> None:
        """Let the host have admitted something earlier."""
        with open_folder(self.state) as state, state.below("lookaside", make=True) as folder:
            Lookaside(folder=folder, key=host_key(state)).add(admission)

    def admit(self, *arguments, reference: str | None = None) -> Outcome:
        """Admit what the scene's reference names."""
        return self.command("admit", *arguments, "--", reference or self.scene.reference)

    def pulls(self, reference: str | None = None) -> bool:
        """Tell whether the host would take what a reference names now."""
        reference = reference or self.scene.reference
        name, _, pinned = reference.partition("@")
        tag = name.rpartition("/")[2].partition(":")[2] or "latest"
        raw = self.scene.registry.manifests.get(pinned or urllib.parse.unquote(tag), b"")
        if not self.key.exists():
            return False
        return would_take(self.lookaside, self.key, reference, digest_of(raw))

    def files(self) -> list[str]:
        """Return everything in the lookaside but empty folders."""
        return sorted(
            str(path.relative_to(self.lookaside))
            for path in self.lookaside.rglob("*")
            if not path.is_dir() or path.is_symlink()
        )
