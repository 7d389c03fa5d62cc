"""Would a host take it? The image's own skopeo is asked, under the image's own policy.

It is asked as bootc asks it, but for the layers: those are here already, and a copy of an image
that finds every blob at its target transfers none.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from immutable_base.build.host_files import admits
from immutable_base.errors import (
    RemoteError,
    UnavailableError,
    VerificationError,
    foreign_data,
)
from immutable_base.image.program import mounted_image
from immutable_base.model.facts import ProgramOutput
from immutable_base.policy.host_trust import ADMISSION_KEY
from immutable_base.policy.render import POLICY
from immutable_base.process import ANY_STATUS, Runner
from immutable_base.tools import buildah, bwrap, skopeo
from immutable_base.tools.outages import remote_kind

REJECTED = "Source image rejected: "
"""How skopeo begins to say that its policy refuses an image; source: containers/image,
copy/single.go. Anything else that ends a copy says nothing about the policy."""
TWIN = "io.immutable-base.unsigned-twin"
"""Annotation that makes another manifest of an image, for which there is no signature."""
STATE_FILE = "/usr/lib/tmpfiles.d/immutable-base-admission.conf"
"""Makes the folder for what a host admits, when it starts."""
SEEN_AS = "/run/as-host"
"""Where the sandbox has what it works with; /run is its own."""
HINT = "`immutable-base policy lint` says what is wrong with an image's policy"
HINT_TAKEN = (
    f"{HINT}; if nothing is, and a key signs, something that hosts cannot read lies beside the "
    "image: whoever may delete in this registry must delete the tag sha256-….sig; then run again"
)
"""Why one thing there refuses the image for all hosts: see `where` in `policy/host_trust`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedHost:
    """A host that runs an image, as far as it fetches images."""

    run: Runner
    root: Path
    """The image's root, mounted; what is written there is thrown away."""
    layout: Path
    """The image as it was pushed."""
    environment: Mapping[str, str]
    """Which CAs to trust."""

    def fetch(self, pinned: str) -> ProgramOutput:
        """Return what the image's skopeo says when it is told to fetch `repository@sha256:...`."""
        with tempfile.TemporaryDirectory(dir=self.layout.parent, prefix=".as-host.") as scratch:
            folder = Path(scratch)
            _link_blobs(self.layout, folder, but=pinned.partition("@")[2])
            argv = (
                # A layout has no place for signatures; they are looked at all the same.
                "skopeo", "copy", "--quiet", "--remove-signatures",
                f"--dest-shared-blob-dir={SEEN_AS}/blobs",
                f"docker://{pinned}", f"oci:{SEEN_AS}/fetched:image",
            )  # fmt: skip
            return self._within(argv, {folder: SEEN_AS})

    @property
    def upgrades_admit(self) -> bool:
        """Whether the image's own admission program stands before automatic upgrades."""
        return admits(self.root)

    @property
    def admits(self) -> bool:
        """Whether the image's policy demands what its own admission program signs."""
        policy = self.root / POLICY
        return policy.is_file() and ADMISSION_KEY in policy.read_text("utf-8", "replace")

    def admit(self, pinned: str) -> ProgramOutput:
        """Return what the image's admission program says of `repository@sha256:...`, or of a tag.

        What it admits is taken by later fetches of this host.
        """
        made = self._within(("systemd-tmpfiles", "--create", STATE_FILE), {})
        if made.status != 0:
            return made
        return self._within(("immutable-base-admission", "admit", pinned), {})

    def _within(self, argv: Sequence[str], writable: Mapping[Path, str]) -> ProgramOutput:
        self._name_servers()
        found = bwrap.run_in_root(
            self.run, self.root, argv, ok=ANY_STATUS, surroundings=self._surroundings(writable)
        )
        text = f"{found.text}{found.stderr_tail}".strip()
        return ProgramOutput(status=found.status, text=text)

    def _surroundings(self, writable: Mapping[Path, str]) -> bwrap.SharedFiles:
        """Return the network, the registry's CA and login, and folders to write to."""
        readable, environment = {}, {"HOME": "/root"}
        if bundle := self.environment.get("SSL_CERT_FILE"):
            readable[Path(bundle)] = environment["SSL_CERT_FILE"] = "/run/as-host-ca.pem"
        if (login := _login(os.environ)) is not None:
            readable[login] = environment["REGISTRY_AUTH_FILE"] = "/run/as-host-login.json"
        return bwrap.SharedFiles(environment=environment, readable=readable, writable=writable)

    def _name_servers(self) -> None:
        """Give the sandbox the machine's: the image has none, or a link into its own /run."""
        machine, image = Path("/etc/resolv.conf"), self.root / "etc/resolv.conf"
        image.unlink(missing_ok=True)
        if machine.is_file():
            shutil.copyfile(machine, image)


@contextmanager
def open_host(
    storage: buildah.Storage, image: str, layout: Path, environment: Mapping[str, str]
) -> Iterator[AskedHost]:
    """Mount a local image for the block's time; `layout` is the same image."""
    with mounted_image(storage, image) as mounted:
        yield AskedHost(run=storage.run, root=mounted.root, layout=layout, environment=environment)


def require_host_agrees(
    host: AskedHost, repository: str, digest: str, *, by_key: bool, by_fleet: bool = False
) -> None:
    """Require that a host refuses an unsigned copy of an image, and takes the image itself.

    Raises as `require_unsigned_refused` and `require_signed_taken`, which say what is asked.
    """
    require_unsigned_refused(host, repository)
    require_signed_taken(host, f"{repository}@{digest}", by_key=by_key, by_fleet=by_fleet)


def require_unsigned_refused(host: AskedHost, repository: str) -> None:
    """Require that a host refuses an unsigned copy of its own image.

    It says whether the image's policy demands anything, before anybody has signed the image: what
    is signed may be put under any tag by whoever may push, also by somebody who wishes hosts such a
    policy. Raises VerificationError if it is taken, RemoteError if nothing can be known.
    """
    _require_refused(host, _push_twin(host, repository), "an unsigned copy of the image")


def require_signed_taken(
    host: AskedHost, pinned: str, *, by_key: bool, by_fleet: bool = False
) -> None:
    """Require that a host takes what is signed in the registry, `repository@sha256:...`.

    `by_key`: whether a key has signed. Without, a host refuses the image until its own admission
    program has verified it: that is what is asked then, refusal, admission and all. `by_fleet`:
    another machine admits, with a key that is not here, so that nothing can be asked. A program
    that is there stands before automatic upgrades all the same, and is asked.

    Raises VerificationError if a host would do otherwise, RemoteError if nothing can be known.
    """
    if by_key:
        require_taken(host, pinned)
    if (by_key or by_fleet) and host.upgrades_admit:
        require_admitted(host, pinned)
    if not (by_key or by_fleet):
        _require_refused(host, pinned, "an image that its host has not admitted")
        require_admitted(host, pinned)
        require_taken(host, pinned)


def require_taken(host: AskedHost, pinned: str) -> None:
    """Require that a host takes an image; raises as `require_signed_taken`."""
    found = host.fetch(pinned)
    if found.status == 0:
        return
    # A signature that could not be read is "rejected" as well, also where the registry is down.
    if REJECTED not in found.text or remote_kind(found.text) is UnavailableError:
        raise _unknown(f"whether a host takes {pinned}", "skopeo", found)
    raise VerificationError(f"a host would refuse {pinned}", details=found.text, hint=HINT_TAKEN)


def require_admitted(host: AskedHost, pinned: str) -> None:
    """Require that a host's own program admits an image; raises as `require_signed_taken`."""
    found = host.admit(pinned)
    if found.status == 0:
        return
    if found.status == RemoteError.exit_code:
        raise _unknown(f"whether a host admits {pinned}", "admission program", found)
    raise VerificationError(
        f"a host would not admit {pinned}, and would refuse every upgrade to it",
        details=found.text,
        hint="nothing was published: the image's program, or whom it believes "
        "(/usr/lib/immutable-base/admission), is not what signed it, or the newest of its inputs "
        "(a commit, a package) has a time that is still to come",
    )


def _require_refused(host: AskedHost, pinned: str, what: str) -> None:
    found = host.fetch(pinned)
    if found.status == 0:
        raise VerificationError(
            f"a host would take {what}: {pinned}",
            hint=f"nothing was published: the image's policy.json demands too little; {HINT}",
        )
    if REJECTED not in found.text:
        raise _unknown(f"whether a host refuses {what}", "skopeo", found)


def _unknown(what: str, program: str, found: ProgramOutput) -> RemoteError:
    return remote_kind(found.text)(
        f"{what} cannot be known: the image's {program} failed",
        details=found.text,
        hint="is the registry up? The tags are where they were; run again",
    )


def _push_twin(host: AskedHost, repository: str) -> str:
    """Push the image again under another digest, unsigned and without a tag; return its name.

    Its blobs are all there, so only a manifest is written. The same image has the same twin.
    """
    with tempfile.TemporaryDirectory(dir=host.layout.parent, prefix=".twin.") as scratch:
        twin = Path(scratch) / "twin"
        digest = write_twin(host.layout, twin)
        pinned = f"{repository}@{digest}"
        skopeo.push(host.run, twin, pinned, host.environment)
    return pinned


def write_twin(layout: Path, folder: Path) -> str:
    """Write a layout with another manifest of the same image, and return its digest.

    Raises VerificationError if the layout is none.
    """
    with foreign_data(f"the layout {layout}", VerificationError):
        index = json.loads((layout / "index.json").read_text())
        entry = index["manifests"][0]
        manifest = json.loads((layout / "blobs" / entry["digest"].replace(":", "/")).read_text())
        manifest["annotations"] = {**(manifest.get("annotations") or {}), TWIN: entry["digest"]}
        raw = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        _link_blobs(layout, folder, but=entry["digest"])
        (folder / "blobs" / digest.replace(":", "/")).write_bytes(raw)
        index["manifests"] = [{**entry, "digest": digest, "size": len(raw)}]
        (folder / "index.json").write_text(json.dumps(index))
        shutil.copyfile(layout / "oci-layout", folder / "oci-layout")
    return digest


def _link_blobs(layout: Path, folder: Path, *, but: str) -> None:
    """Link every blob of a layout but the manifest, which is what is fetched."""
    target = folder / "blobs" / "sha256"
    target.mkdir(parents=True)
    for blob in (layout / "blobs" / "sha256").iterdir():
        if f"sha256:{blob.name}" != but:
            os.link(blob, target / blob.name)


def _login(environment: Mapping[str, str]) -> Path | None:
    """Return the file of registry logins, None without one; source: containers-auth.json(5)."""
    named = environment.get("REGISTRY_AUTH_FILE")
    folder = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    path = Path(named) if named else Path(folder) / "config.json"
    return path if path.is_file() else None
