"""What each action does with the CI image, one at a time in a workspace."""

from __future__ import annotations

import shutil
from typing import Literal

from immutable_base.ci_image.build import CiImage, build_ci_image
from immutable_base.ci_image.checks import CiImageSubject, check_ci_image
from immutable_base.ci_image.documents import NAME
from immutable_base.ci_image.publish import publish_ci_image, require_layout, require_sound
from immutable_base.ci_image.questions import read_image
from immutable_base.ci_image.sbom import make_ci_image_sbom
from immutable_base.image.local import is_local, read_layout
from immutable_base.image.program import mounted_image
from immutable_base.log import log_to_file
from immutable_base.model.check import CheckReport
from immutable_base.model.ci_image import CiImageBuild
from immutable_base.process import LineSink
from immutable_base.report.run import kibibytes, mebibytes
from immutable_base.workspace import exclusive

Verb = Literal["build", "check", "sbom", "publish"]


def carry_out(
    at: CiImage, verb: Verb, report: LineSink, *, base: str | None = None, candidate: bool = False
) -> str:
    """Do one stage on the documents in the workspace; return what came out, one line.

    Raises what the stage raises, HostError if another command works in the workspace.
    """
    with exclusive(at.context.workspace):
        log_to_file(at.documents.folder / f"log/{verb}.log")
        # Mounts that a killed command left in containers-storage's books; it took them with it.
        shutil.rmtree(at.context.storage.run_root, ignore_errors=True)
        if verb == "build":
            built = build_ci_image(at, report, base=base, candidate=candidate)
            return f"{built.repository}@{built.digest}, {mebibytes(built.size)}, on {built.base}"
        if verb == "check":
            return _check(at, report)
        if verb == "sbom":
            record = make_ci_image_sbom(at, _local_image(at))
            return f"{record.packages} packages, {kibibytes(record.size)}"
        publication = publish_ci_image(at)
        return f"{publication.status}: {publication.repository}@{publication.digest}"


def _check(at: CiImage, report: LineSink) -> str:
    built, image = at.documents.read(CiImageBuild), _local_image(at)
    with mounted_image(at.context.storage, image) as mounted:
        facts = read_image(at.documents.layout, built.digest, mounted)
    findings = check_ci_image(CiImageSubject(facts=facts, built=built))
    checked = CheckReport(
        rests_on=at.documents.rests_on(CheckReport), variant=NAME, image_id=image, findings=findings
    )
    at.documents.save(checked)
    for finding in findings:
        report(str(finding))
    require_sound(checked)
    return f"{len(findings)} checks"


def _local_image(at: CiImage) -> str:
    """Return the id of the image that was built, whole and unchanged, in our storage."""
    built = at.documents.read(CiImageBuild)
    require_layout(at, built)
    if not is_local(at.context.storage, built.image_id):
        layout = at.documents.layout
        read_layout(at.context.storage, layout, digest=built.digest, image_id=built.image_id)
    return built.image_id
