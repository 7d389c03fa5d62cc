"""`ci-image build`: ci/Containerfile of a commit, on the Debian that its tag names now."""

from __future__ import annotations

import shutil
import time
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from immutable_base.build.candidate import leave_candidate
from immutable_base.build.injected import injected_names, remove_injected
from immutable_base.build.log_tail import following
from immutable_base.ci_image.documents import NAME, CiImageDocuments
from immutable_base.context import Context
from immutable_base.errors import ConfigurationError
from immutable_base.image.oci import require_image
from immutable_base.instance.containerfile import parse_containerfile
from immutable_base.instance.pinned_text import with_images
from immutable_base.model.ci_image import CiImageBuild
from immutable_base.model.reference import Reference
from immutable_base.plan.labels import OCI
from immutable_base.process import LineSink
from immutable_base.tools import buildah, git, skopeo

FILE = "ci/Containerfile"
TAG = "localhost/immutable-base/ci"
FOLDER = "ci-image"
"""In a workspace: the documents and the layout of the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CiImage:
    """What the commands of the CI image work with."""

    context: Context
    folder: Path
    """Checkout of this project."""

    @property
    def documents(self) -> CiImageDocuments:
        """The documents of the image."""
        return CiImageDocuments(self.context.workspace / FOLDER)

    @property
    def repository(self) -> str:
        """Where it is published, without a tag."""
        return f"{self.context.settings.registry.destination}/{NAME}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _CommitFiles:
    """What is built: files of a commit, and the image below."""

    commit: str
    version: str
    epoch: int
    base: str
    named: str
    """The base as the Containerfile or the caller writes it."""
    text: str
    folder: Path


def build_ci_image(
    at: CiImage, report: LineSink, *, base: str | None = None, candidate: bool = False
) -> CiImageBuild:
    """Build the image of a commit's files alone, write its layout, and write down what that made.

    `base` is the Debian to build on where it is not the Containerfile's. Its tag is resolved once,
    and nothing reads it again. Raises ConfigurationError if the folder is no checkout of this
    project, RemoteError if a registry does not answer, CommandError if a step fails.
    """
    context, started = at.context, time.monotonic()
    storage = context.storage
    source = _source(at, base)
    buildah.clean(storage, keep=[source.base])
    buildah.pull(storage, source.base, context.tls.environment)
    request = _request(at, source)
    with following(request.log_file, report):
        built = buildah.build(storage, request)
    image = _finish(at, source, built)
    digest = buildah.write_layout(storage, image, at.documents.layout)
    left = None
    if candidate:
        pinned = f"{context.settings.candidates}@{digest}"
        env = context.tls.environment
        left = leave_candidate(context.run, at.documents.layout, pinned, env, now=context.clock())
    record = CiImageBuild(
        rests_on={},
        repository=at.repository,
        image_id=image,
        digest=digest,
        size=require_image(at.documents.layout, digest=digest, image_id=image),
        candidate=left,
        base=source.base,
        commit=source.commit,
        version=source.version,
        epoch=source.epoch,
        buildah=buildah.version(context.run),
        seconds=round(time.monotonic() - started, 1),
    )
    at.documents.save(record)
    return record


def _source(at: CiImage, base: str | None) -> _CommitFiles:
    run, folder = at.context.run, at.context.workspace / "ci-image-context"
    commit = git.head(run, at.folder)
    text, version = git.file_at(run, at.folder, FILE), _version(at)
    if text is None or version is None:
        raise ConfigurationError(
            f"{at.folder} is no checkout of immutable-base: its commit lacks {FILE}, or our "
            "pyproject.toml",
            hint="who has only a configuration takes the image that is published: "
            "docs/how-to/run-on-your-gitlab.md",
        )
    file = parse_containerfile(text)
    written = file.root.image
    if file.foreign(written):
        raise ConfigurationError(f"{FILE} takes files from other images than {written}")
    named = base or written
    found = skopeo.resolve(run, named, at.context.tls.environment)
    pinned = Reference.parse(named).pinned(found.digest)
    shutil.rmtree(folder, ignore_errors=True)
    git.write_tree(run, at.folder, folder)
    return _CommitFiles(
        commit=commit.name,
        version=version,
        epoch=max(commit.time, found.created),
        base=pinned,
        named=named,
        text=with_images(file, {written: pinned}),
        folder=folder,
    )


def _version(at: CiImage) -> str | None:
    """Return the version that the commit's package has, None if it has none of ours."""
    text = git.file_at(at.context.run, at.folder, "pyproject.toml") or ""
    try:
        project = tomllib.loads(text).get("project")
    except tomllib.TOMLDecodeError:
        return None
    if not isinstance(project, dict) or project.get("name") != "immutable-base":
        return None
    return str(project["version"]) if "version" in project else None


def _request(at: CiImage, source: _CommitFiles) -> buildah.BuildRequest:
    written = source.folder.with_name("ci-image.Containerfile")
    written.write_text(source.text)
    return buildah.BuildRequest(
        containerfile=written,
        folder=source.folder,
        tag=f"{TAG}:built",
        epoch=source.epoch,
        log_file=at.documents.folder / "log/build.log",
        network=True,
    )


def _finish(at: CiImage, source: _CommitFiles, built: str) -> str:
    """Give the image its labels, take away what buildah left, and return its id."""
    storage = at.context.storage
    with buildah.mounted(storage, source.base) as root:
        before = injected_names(root)
    made = datetime.fromtimestamp(source.epoch, UTC)
    named = Reference.parse(source.named)
    labels: dict[str, str | None] = {
        f"{OCI}.title": f"immutable-base {NAME}",
        f"{OCI}.version": source.version,
        f"{OCI}.created": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
        f"{OCI}.source": at.context.settings.source,
        f"{OCI}.revision": source.commit,
        f"{OCI}.base.name": f"{named.repository}:{named.tag}" if named.tag else named.repository,
        f"{OCI}.base.digest": source.base.partition("@")[2],
    }
    with buildah.container(storage, built) as name:
        remove_injected(buildah.mount(storage, name), before)
        request = buildah.CommitRequest(
            tag=f"{TAG}:finished", epoch=source.epoch, labels=labels, annotations={}
        )
        return buildah.commit(storage, name, request)
