"""All documents of a variant, as the stages of a run leave them: what a test changes is found out."""

from __future__ import annotations

import json

from immutable_base.config.load import load_settings
from immutable_base.documents import name_of
from immutable_base.model.boot import BootReport, BootVerdict
from immutable_base.model.build import ImageBuild, ImageLayout
from immutable_base.model.check import CheckReport, Finding, Level
from immutable_base.model.facts import ImageFacts
from immutable_base.model.publish import Publication, PublicationStatus
from immutable_base.model.sbom import SbomRecord, full_sbom_path
from immutable_base.sbom.full import record_of
from immutable_base.sbom.subject import IMAGE_ID
from immutable_base.workspace import file_digest
from support.complete import write_sboms
from support.paths import PRODUCT
from support.sound_image import FACTS

FINE = Finding(id="x", title="one kernel", reason="two boot neither", level=Level.PASS, message="")
DESTINATION = load_settings(PRODUCT).registry.destination


def sbom_of(repository: str, image_id: str) -> str:
    """Return the least that an SBOM of an image says."""
    properties = [{"name": IMAGE_ID, "value": image_id}]
    component = {"type": "container", "name": repository, "properties": properties}
    return json.dumps(
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": component}, "components": []}
    )  # fmt: skip


def leave_facts(documents, variant) -> ImageFacts:
    """Write what `inspect` would, about the image that was built."""
    changes = {
        "rests_on": documents.rests_on(ImageFacts, variant),
        "variant": variant.name,
        "image_id": documents.read(ImageBuild, variant).image_id,
    }
    facts = FACTS.model_copy(update=changes)
    documents.write(name_of(ImageFacts, variant), facts)
    return facts


def leave_check(documents, variant, *findings: Finding) -> CheckReport:
    """Write what `check` would, about what was read."""
    report = CheckReport(
        rests_on=documents.rests_on(CheckReport, variant),
        variant=variant.name,
        image_id=documents.read(ImageFacts, variant).image_id,
        findings=findings or (FINE,),
    )
    documents.write(name_of(CheckReport, variant), report)
    return report


def leave_sbom(documents, variant) -> SbomRecord:
    """Write what `sbom` would, about what was read."""
    facts = documents.read(ImageFacts, variant)
    document = documents.sbom(variant)
    document.parent.mkdir(parents=True, exist_ok=True)
    write_sboms(document, json.loads(sbom_of(f"{DESTINATION}/{variant.name}", facts.image_id)))
    record = record_of(
        document,
        variant=variant.name,
        image_id=facts.image_id,
        packages=len(facts.packages),
        rests_on=documents.rests_on(SbomRecord, variant),
    )
    documents.write(name_of(SbomRecord, variant), record)
    return record


def leave_boot(documents, variant, verdict=BootVerdict.BOOTED, *findings: Finding) -> BootReport:
    """Write what `boot` would, about the image that was built."""
    report = BootReport(
        rests_on=documents.rests_on(BootReport, variant),
        variant=variant.name,
        image_id=documents.read(ImageFacts, variant).image_id,
        digest=documents.read(ImageLayout, variant).digest,
        verdict=verdict,
        reason="" if verdict is BootVerdict.BOOTED else "it does not come up",
        findings=findings or (FINE,),
        boots=(),
    )
    documents.write(name_of(BootReport, variant), report)
    return report


def leave_publication(documents, variant) -> Publication:
    """Write what `publish` would."""
    publication = Publication(
        rests_on=documents.rests_on(Publication, variant), variant=variant.name,
        status=PublicationStatus.PUBLISHED, repository=f"registry.example/{variant.name}",
        digest=documents.read(ImageLayout, variant).digest, tags=(), signer="https://gitlab.example/ci",
        issuer="https://gitlab.example", rekor_log_index=1,
        sbom_sha256=file_digest(documents.sbom(variant)),
        full_sbom_sha256=file_digest(full_sbom_path(documents.sbom(variant))), provenance_log_index=2,
        notes=(), steps=(), seconds=2.0,
    )  # fmt: skip
    documents.write(name_of(Publication, variant), publication)
    return publication


def leave_all(documents, variant) -> None:
    """Write the documents of every stage after the build."""
    leave_facts(documents, variant)
    leave_check(documents, variant)
    leave_sbom(documents, variant)
    leave_boot(documents, variant)
    leave_publication(documents, variant)
