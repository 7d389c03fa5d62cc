"""buildah, on a containers-storage of our own: nothing else on the machine is seen or changed.

Works with buildah 1.28 (Debian 12) and later. Steps run with chroot isolation, which needs no
cgroups and no user session; a network namespace around buildah takes the network away, because
chroot isolation itself accepts only the host's.

There is no `buildah run` here: with chroot isolation it may lose output with status 0. An image is
asked through `image.program`; what a build step prints is for people only.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.errors import (
    OUT_OF_SPACE_HINT,
    CommandError,
    HostError,
    RemoteError,
    foreign_data,
    is_out_of_space,
)
from immutable_base.process import Command, Result, Runner
from immutable_base.tools.limits import NO_NETWORK, QUICK, TRANSFER

log = logging.getLogger(__name__)

BUILD = 3 * 3600.0
"""Seconds for a whole build; ZFS takes 5 minutes on two cores, a slow machine ten times that."""
DETAILS_LINES = 60
ISOLATION = ("--isolation=chroot", "--network=host")


@dataclass(frozen=True, slots=True)
class Storage:
    """A containers-storage of our own, and how programs are started."""

    run: Runner
    root: Path

    @property
    def run_root(self) -> Path:
        """Folder of what must not outlive a boot: mounts, locks."""
        return self.root.with_name(f"{self.root.name}-run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A folder of the machine that a build step sees."""

    source: Path
    target: str
    writable: bool = False

    def __str__(self) -> str:
        """Return buildah's `source:target:options`."""
        return f"{self.source}:{self.target}:{'rw' if self.writable else 'ro'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One Containerfile to build, without cache."""

    containerfile: Path
    folder: Path
    """The build context, for COPY."""
    tag: str
    epoch: int
    """Seconds since 1970: `created` of the image and time of every file in its new layer."""
    log_file: Path
    """Receives everything that buildah and the steps print, as it comes."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    volumes: Sequence[Volume] = ()
    network: bool = False
    """Whether its steps have the machine's network; without, they have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in our storage."""

    id: str
    names: tuple[str, ...]


def version(run: Runner) -> str:
    """Return buildah's version."""
    output = run(Command(argv=("buildah", "--version"), timeout=QUICK)).text.split()
    return output[2] if len(output) > 2 else "unknown"


def pull(storage: Storage, pinned: str, env: Mapping[str, str]) -> str:
    """Fetch `repository@sha256:...` unless it is here already, and return the image's id.

    `env` says which CAs to trust. Raises RemoteError if the registry does not give it.
    """
    argv = _buildah(storage, "pull", "--quiet", "--policy=missing", f"docker://{pinned}")
    command = Command(argv=argv, timeout=TRANSFER, env=env)
    try:
        return _last_word(storage.run(command), "pull")
    except CommandError as error:
        raise RemoteError(
            f"the image {pinned} cannot be fetched",
            details=error.details or error.message,
            hint="is the registry up, and does this machine trust its certificate?",
        ) from error


def pull_layout(storage: Storage, folder: Path) -> str:
    """Read the image of an OCI layout into our storage, and return its id."""
    # buildah makes a name of the path as it is written, and not every path can be one.
    argv = _buildah(storage, "pull", "--quiet", f"oci:{folder.name}")
    return _last_word(storage.run(Command(argv=argv, timeout=TRANSFER, cwd=folder.parent)), "pull")


def build(storage: Storage, request: BuildRequest) -> str:
    """Build a Containerfile and return the image's id.

    Raises CommandError with the end of the log if a step fails, HostError if the disk is full.
    """
    request.log_file.parent.mkdir(parents=True, exist_ok=True)
    id_file = request.log_file.with_suffix(".iid")
    argv = _buildah(storage, *_build_flags(request, id_file), str(request.folder))
    argv = (() if request.network else NO_NETWORK) + argv
    try:
        storage.run(Command(argv=argv, timeout=BUILD))
        return id_file.read_text().strip().removeprefix("sha256:")
    except CommandError as error:
        raise _build_error(request, error) from error
    finally:
        id_file.unlink(missing_ok=True)


def _build_error(request: BuildRequest, error: CommandError) -> CommandError | HostError:
    """Return a failed build with the end of its log, which holds what the steps print."""
    message = f"the build of {request.tag} failed"
    details = _tail(request.log_file) or error.details or ""
    if is_out_of_space(details):
        return HostError(f"{message}: the disk is full", details=details, hint=OUT_OF_SPACE_HINT)
    return CommandError(message, details=details, hint=f"the whole log: {request.log_file}")


def _build_flags(request: BuildRequest, id_file: Path) -> list[str]:
    flags = [
        "build", *ISOLATION, "--no-cache", "--layers=false", "--force-rm", "--pull=never",
        "--identity-label=false", "--http-proxy=false", "--format=oci",
        f"--timestamp={request.epoch}", f"--file={request.containerfile}",
        f"--tag={request.tag}", f"--iidfile={id_file}", f"--logfile={request.log_file}",
    ]  # fmt: skip
    flags += [f"--build-arg={key}={value}" for key, value in sorted(request.arguments.items())]
    flags += [f"--volume={volume}" for volume in request.volumes]
    return flags


def _tail(path: Path) -> str:
    if not path.is_file():
        return ""
    lines = path.read_bytes()[-40_000:].decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-DETAILS_LINES:])


@contextmanager
def container(storage: Storage, image: str) -> Iterator[str]:
    """Make a container from a local image and yield its id; it is removed at the end."""
    argv = _buildah(storage, "from", "--pull-never", "--quiet", image)
    name = storage.run(Command(argv=argv, timeout=QUICK)).text.strip()
    try:
        yield name
    finally:
        # Unmounts as well.
        storage.run(Command(argv=_buildah(storage, "rm", name), timeout=QUICK))


@contextmanager
def mounted(storage: Storage, image: str) -> Iterator[Path]:
    """Yield the root folder of a local image; what is written there is thrown away."""
    with container(storage, image) as name:
        yield mount(storage, name)


def mount(storage: Storage, name: str) -> Path:
    """Mount a container's root and return the folder; removing the container unmounts it."""
    argv = _buildah(storage, "mount", name)
    return Path(storage.run(Command(argv=argv, timeout=QUICK)).text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRequest:
    """How a container becomes an image; a label or annotation that is None is taken away."""

    tag: str
    epoch: int
    """Seconds since 1970; as in `BuildRequest`."""
    labels: Mapping[str, str | None]
    annotations: Mapping[str, str | None]


def commit(storage: Storage, name: str, request: CommitRequest) -> str:
    """Make an image of a container as it is now, and return the image's id."""
    flags = [
        # A trailing dash removes; buildah-config(1).
        f"--{kind}={key}-" if value is None else f"--{kind}={key}={value}"
        for kind, values in (("label", request.labels), ("annotation", request.annotations))
        for key, value in sorted(values.items())
    ]
    storage.run(Command(argv=_buildah(storage, "config", *flags, name), timeout=QUICK))
    argv = _buildah(
        storage, "commit", "--quiet", "--format=oci", "--identity-label=false",
        f"--timestamp={request.epoch}", name, request.tag,
    )  # fmt: skip
    return _last_word(storage.run(Command(argv=argv, timeout=TRANSFER)), "commit")


def write_layout(storage: Storage, image: str, folder: Path) -> str:
    """Write a local image to a new OCI layout with gzip layers and return the manifest's digest.

    The same image gives the same bytes, and a registry will show the same digest.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    digest_file = folder.parent / f".{folder.name}.digest"
    argv = _buildah(
        storage, "push", "--quiet", "--format=oci", "--compression-format=gzip",
        f"--digestfile={digest_file}", image, f"oci:{folder}",
    )  # fmt: skip
    try:
        storage.run(Command(argv=argv, timeout=TRANSFER))
        return digest_file.read_text().strip()
    finally:
        digest_file.unlink(missing_ok=True)


def images(storage: Storage) -> tuple[Image, ...]:
    """List the images in our storage, sorted by id.

    Raises CommandError if buildah lists them in a form that is not known.
    """
    argv = _buildah(storage, "images", "--json", "--no-trunc")
    text = storage.run(Command(argv=argv, timeout=QUICK)).text
    with foreign_data("buildah's list of images", CommandError):
        rows = json.loads(text.strip() or "null")
        # Without any image it prints `null` or nothing.
        found = [
            Image(id=row["id"].removeprefix("sha256:"), names=tuple(row.get("names") or ()))
            for row in ([] if rows is None else rows)
        ]
    return tuple(sorted(found, key=lambda image: image.id))


def image_labels(storage: Storage, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the labels of a local image, and the annotations of its manifest.

    Raises CommandError if buildah describes it in a form that is not known.
    """
    command = Command(argv=_buildah(storage, "inspect", "--type=image", name), timeout=QUICK)
    with foreign_data(f"buildah's description of {name}", CommandError):
        found = json.loads(storage.run(command).text)
        both = (found["OCIv1"]["config"].get("Labels"), found.get("ImageAnnotations"))
        labels, annotations = ({str(k): str(v) for k, v in (it or {}).items()} for it in both)
        return labels, annotations


def remove_image(storage: Storage, name: str) -> None:
    """Remove a local image by name or id."""
    storage.run(Command(argv=_buildah(storage, "rmi", "--force", name), timeout=QUICK))


def clean(storage: Storage, *, keep: Sequence[str] = ()) -> None:
    """Remove what an earlier run left: every container, every image but the pinned in `keep`."""
    if not storage.root.is_dir():
        return
    storage.run(Command(argv=_buildah(storage, "rm", "--all"), timeout=QUICK))
    wanted = set(keep)
    for image in images(storage):
        if not wanted.intersection(image.names):
            log.debug("removing image %s of an earlier run", image.id)
            remove_image(storage, image.id)


def _last_word(output: Result, verb: str) -> str:
    """Return the image id at the end of what buildah printed."""
    fields = output.text.split()
    if not fields:
        raise CommandError(f"`buildah {verb}` ended well, but named no image")
    return fields[-1]


def _buildah(storage: Storage, *arguments: str) -> tuple[str, ...]:
    storage.root.mkdir(parents=True, exist_ok=True)
    return (
        "buildah", "--root", str(storage.root), "--runroot", str(storage.run_root),
        "--storage-driver", "overlay", *arguments,
    )  # fmt: skip
