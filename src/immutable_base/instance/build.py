"""`build`: the Containerfile of the decided commit, on the decided base, by digest."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from immutable_base.build.host_files import (
    admits,
    policy_files,
    write_host_trust,
    write_whom_to_admit,
)
from immutable_base.build.injected import injected_names, remove_injected
from immutable_base.build.input_folder import TARGET, normalise
from immutable_base.build.log_tail import following
from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.image.layout import MODULES
from immutable_base.image.oci import require_image
from immutable_base.instance.base import read_containerfile
from immutable_base.instance.candidate import leave_candidate
from immutable_base.instance.context import InstanceContext
from immutable_base.instance.pinned_text import pinned_text
from immutable_base.instance.proofs import require_base
from immutable_base.model.instance import BaseEvidence, InstanceBuild, InstanceDecision
from immutable_base.model.reference import Reference
from immutable_base.plan.labels import KERNEL, OCI, OF_THE_BASE_ONLY, OSTREE_KERNEL, VARIANT
from immutable_base.policy.accepted import HOSTS_ACCEPT, accepted
from immutable_base.policy.demands import refuses_by_default
from immutable_base.process import LineSink
from immutable_base.tools import buildah, git

TAG = "localhost/immutable-base/instance"
OF_THE_VARIANT = frozenset(
    f"{OCI}.{key}"
    for key in ("description", "documentation", "licenses", "source", "url", "vendor")
)
"""Labels that tell of the base; they go unless the Containerfile has them too, with other words."""


def build_instance(
    at: InstanceContext, decision: InstanceDecision, report: LineSink, *, candidate: bool = False
) -> InstanceBuild:
    """Build the instance, write its layout, and write down which image that made.

    With `candidate` it is left in the registry for other machines, by its digest.

    The base's signature is verified again: whoever could change the decision on its way cannot name
    another base. Raises VerificationError if it does not hold or the checkout is at another commit,
    RemoteError if an image cannot be fetched, CommandError if a step fails.
    """
    started = time.monotonic()
    base = require_base(at, decision)
    _require_commit(at, decision)
    folder = _context(at)
    request = _request(at, decision, base, folder)
    buildah.clean(at.storage, keep=[base.pinned])
    for image in _images(at, base):
        buildah.pull(at.storage, image, at.tls.environment)
    with following(request.log_file, report):
        built = buildah.build(at.storage, request)
    image, labels = _finish(at, decision, base, built)
    digest = buildah.write_layout(at.storage, image, at.documents.layout)
    size = require_image(at.documents.layout, digest=digest, image_id=image)
    record = InstanceBuild(
        rests_on=at.documents.rests_on(InstanceBuild),
        variant=decision.name,
        image_id=image,
        digest=digest,
        size=size,
        candidate=leave_candidate(at, digest) if candidate else None,
        base=base.pinned,
        commit=decision.commit,
        labels=labels,
        buildah=buildah.version(at.run),
        seconds=round(time.monotonic() - started, 1),
    )
    at.documents.save(record)
    return record


def instance_labels(
    decision: InstanceDecision, base: BaseEvidence, kernel: str | None, hosts_accept: str
) -> dict[str, str]:
    """Return the labels of a decided instance; `kernel` is what is in the image, if it is one."""
    newest = datetime.fromtimestamp(decision.epoch, UTC)
    named = Reference.parse(base.reference)
    labels = {
        f"{OCI}.title": decision.name,
        f"{OCI}.version": newest.strftime("%Y%m%d"),
        f"{OCI}.created": newest.strftime("%Y-%m-%dT%H:%M:%SZ"),
        f"{OCI}.source": decision.source,
        f"{OCI}.revision": decision.commit,
        f"{OCI}.base.name": f"{named.repository}:{named.tag}" if named.tag else named.repository,
        f"{OCI}.base.digest": base.digest,
        VARIANT: base.variant,
        "containers.bootc": "1",
        KERNEL: kernel or "",
        HOSTS_ACCEPT: hosts_accept,
    }
    return {name: text for name, text in labels.items() if text}


def _require_commit(at: InstanceContext, decision: InstanceDecision) -> None:
    found = git.head(at.run, at.folder).name
    if found != decision.commit:
        raise VerificationError(
            f"{at.folder} is at commit {found}, decided was {decision.commit}",
            hint="check that commit out, or decide again: `immutable-base instance detect-changes`",
        )


def _context(at: InstanceContext) -> Path:
    """Write the commit's files, and nothing else, to a folder with modes of nobody's umask."""
    folder = at.workspace / "instance-context"
    shutil.rmtree(folder, ignore_errors=True)
    git.write_tree(at.run, at.folder, folder)
    normalise(folder)
    return folder


def _images(at: InstanceContext, base: BaseEvidence) -> tuple[str, ...]:
    """Return every image that the build takes, each by digest alone."""
    foreign = read_containerfile(at).foreign(_written(at))
    return (base.pinned, *(_by_digest(image) for image in foreign))


def _by_digest(image: str) -> str:
    """Return `repository@sha256:...`: no program takes a tag and a digest."""
    found = Reference.parse(image)
    return found.pinned(found.digest or "")


def _written(at: InstanceContext) -> str:
    """Return the base as the Containerfile writes it."""
    return read_containerfile(at).root.image


def _request(
    at: InstanceContext, decision: InstanceDecision, base: BaseEvidence, folder: Path
) -> buildah.BuildRequest:
    scripts, input_folder = (
        at.config_path.parent / "layers/scripts",
        at.workspace / "instance-input",
    )
    if not (scripts / "clean").is_file():
        raise ConfigurationError(
            f"there is no {scripts / 'clean'}, which ends every build",
            hint="`layers/` belongs beside the product's configuration; "
            "`immutable-base init DIR` writes both",
        )
    shutil.rmtree(input_folder, ignore_errors=True)
    shutil.copytree(scripts, input_folder / "bin")
    normalise(input_folder)
    file = read_containerfile(at)
    replaced = {image: _by_digest(image) for image in file.foreign(file.root.image)}
    text = pinned_text(file, {**replaced, file.root.image: base.pinned})
    written = at.workspace / "instance-context.Containerfile"
    written.write_text(text)
    return buildah.BuildRequest(
        containerfile=written,
        folder=folder,
        tag=f"{TAG}:built",
        epoch=decision.epoch,
        log_file=at.documents.folder / "log/build.log",
        arguments={"SOURCE_DATE_EPOCH": str(decision.epoch)},
        volumes=(buildah.Volume(source=input_folder, target=TARGET),),
        network=True,
    )


def _finish(
    at: InstanceContext, decision: InstanceDecision, base: BaseEvidence, built: str
) -> tuple[str, dict[str, str]]:
    """Give the image its labels, and return its id and what they are."""
    inherited, annotations = buildah.image_labels(at.storage, base.pinned)
    own, _ = buildah.image_labels(at.storage, built)
    with buildah.mounted(at.storage, base.pinned) as root:
        before = injected_names(root)
        demands = bool(at.host_trust.keys) or refuses_by_default(policy_files(root))
    with buildah.container(at.storage, built) as name:
        root = buildah.mount(at.storage, name)
        remove_injected(root, before)
        if demands:
            write_host_trust(root, at.host_trust)
        if admits(root):
            write_whom_to_admit(root, *at.admitted, decision.epoch)
        kernel = _kernel(root)
        signer = at.verifier().signer
        takes = accepted(at.host_trust, signer, admits=admits(root)) if demands else ""
        labels = instance_labels(decision, base, kernel, takes)
        gone = {
            key
            for key in OF_THE_BASE_ONLY | OF_THE_VARIANT
            if key in inherited and own.get(key) == inherited[key]
        }
        told = {OSTREE_KERNEL: kernel} if OSTREE_KERNEL in own else {}
        stale = {key: None for key in annotations if key in OF_THE_BASE_ONLY}
        request = buildah.CommitRequest(
            tag=f"{TAG}:finished",
            epoch=decision.epoch,
            labels={**dict.fromkeys(gone), **told, **labels},
            annotations={
                **stale,
                **{key: labels[key] for key in (f"{OCI}.base.name", f"{OCI}.base.digest")},
            },
        )
        return buildah.commit(at.storage, name, request), labels


def _kernel(root: Path) -> str | None:
    """Return the one kernel of an image, as `uname -r` prints it; None if it is not one."""
    found = [path.parent.name for path in (root / MODULES).glob("*/vmlinuz")]
    return found[0] if len(found) == 1 else None
