"""From each variant's built image to its publication: inspect, check, SBOM, publish.

A stage keeps nothing: it reads the documents of earlier ones and writes its own, so that it does
the same inside a run as on a machine of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from immutable_base.boot.boot_image import BootRequest
from immutable_base.boot.gate import boot_message, gate, require_booted
from immutable_base.boot.machine import Kvm
from immutable_base.check.run_checks import check_image, require_sound
from immutable_base.config.boot import BootSettings
from immutable_base.context import Context
from immutable_base.documents import Documents, name_of
from immutable_base.image.local import fetch_layout, is_local, read_layout
from immutable_base.image.oci import require_whole
from immutable_base.inspect.collect import inspect_image
from immutable_base.model.boot import BootReport
from immutable_base.model.build import ImageBuild, ImageLayout
from immutable_base.model.check import CheckReport
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import Plan, VariantPlan, Verdict
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord
from immutable_base.policy.demands import variant_demands
from immutable_base.process import LineSink
from immutable_base.provenance.record import BuildRecord
from immutable_base.provenance.variant import VariantBuild, variant_record
from immutable_base.publish.as_host import open_host
from immutable_base.publish.publish import (
    attest_variant,
    publish_variant,
    sign_variant,
)
from immutable_base.publish.request import HostOpener, PublishRequest
from immutable_base.publish.tag_names import tags_of
from immutable_base.report.run import kibibytes
from immutable_base.run.publisher import publisher_of
from immutable_base.sbom.full import record_of
from immutable_base.sbom.make import make_sbom
from immutable_base.sbom.subject import require_subject
from immutable_base.schedule import Node
from immutable_base.tools import buildah
from immutable_base.verification.complete.provenance import FULL_SBOM

Action = Callable[[VariantPlan, LineSink], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The stages of a variant, after its build."""

    context: Context
    kvm: Kvm = field(default_factory=Kvm)

    @property
    def documents(self) -> Documents:
        """The documents of the run."""
        return self.context.documents

    def inspect(self, variant: VariantPlan, _report: LineSink) -> str:
        """Read the image that was built."""
        storage = self.context.storage
        buildah.pull(storage, variant.base.pinned, self.context.tls.environment)
        image = self.local_image(variant)
        rests_on = self.documents.rests_on(ImageFacts, variant)
        destination = self.context.settings.registry.destination
        facts = inspect_image(storage, image, variant, destination=destination, rests_on=rests_on)
        self.documents.write(name_of(ImageFacts, variant), facts)
        return f"{len(facts.packages)} packages"

    def check(self, variant: VariantPlan, report: LineSink) -> str:
        """Require what the plan promised of what was read."""
        facts = self.documents.read(ImageFacts, variant)
        rests_on = self.documents.rests_on(CheckReport, variant)
        found = check_image(facts, variant, self.context.settings, rests_on=rests_on)
        path = self.documents.write(name_of(CheckReport, variant), found)
        for finding in found.findings:
            report(str(finding))
        require_sound(found, hint=f"all findings: {path}")
        return f"{len(found.findings)} checks"

    def sbom(self, variant: VariantPlan, _report: LineSink) -> str:
        """Write the SBOM of the image that was read."""
        facts = self.documents.read(ImageFacts, variant)
        document = self.documents.sbom(variant)
        with buildah.mounted(self.context.storage, self.local_image(variant)) as root:
            make_sbom(
                self.context.run,
                self.context.settings,
                root,
                variant=variant,
                facts=facts,
                document=document,
            )
        record = record_of(
            document,
            variant=variant.name,
            image_id=facts.image_id,
            packages=len(facts.packages),
            rests_on=self.documents.rests_on(SbomRecord, variant),
        )
        self.documents.write(name_of(SbomRecord, variant), record)
        sizes = f"{kibibytes(record.size)}, in full {kibibytes(record.full_size)}"
        return f"{record.packages} packages, {sizes}"

    def boot(self, variant: VariantPlan, report: LineSink) -> str:
        """Install and start the image as a host would, and require what was promised of it."""
        documents, settings = self.documents, self.context.settings.boot
        facts, layout = documents.read(ImageFacts, variant), self._layout(variant)
        tags = tags_of(self.context.settings, variant, layout.digest)
        found = gate(
            self.context.run,
            self.context.storage,
            BootRequest(
                variant=variant,
                facts=facts,
                layout=documents.layout(variant),
                digest=layout.digest,
                origin=f"{self.context.repository_of(variant.name)}:{tags[0]}",
                folder=documents.boot_folder(variant),
                settings=settings,
                kvm=self.kvm,
            ),
            lambda: self.local_image(variant),
            report,
        )
        record = BootReport(
            rests_on=documents.rests_on(BootReport, variant),
            variant=variant.name,
            image_id=facts.image_id,
            digest=layout.digest,
            verdict=found.verdict,
            reason=found.reason,
            findings=found.findings,
            boots=found.boots,
        )
        path = documents.write(name_of(BootReport, variant), record)
        for finding in record.findings:
            report(str(finding))
        require_booted(
            record, settings.policy, digest=layout.digest, hint=f"all that was seen: {path}"
        )
        return boot_message(record)

    def sign(self, variant: VariantPlan, _report: LineSink) -> str:
        """Push by digest and sign; no tag moves."""
        return sign_variant(publisher_of(self.context), self._request(variant))

    def attest(self, variant: VariantPlan, _report: LineSink) -> str:
        """Attest SBOM and provenance of what was pushed; no tag moves."""
        return attest_variant(publisher_of(self.context), self._request(variant))

    def publish(self, variant: VariantPlan, _report: LineSink) -> str:
        """Push, sign, attest, verify, ask as a host, and only then move the tags."""
        publication = publish_variant(publisher_of(self.context), self._request(variant))
        self.documents.write(name_of(Publication, variant), publication)
        return str(publication.status)

    def _request(self, variant: VariantPlan) -> PublishRequest:
        """Return what is to be published: one image that was built, checked, listed and exported.

        Raises CheckError if a check objects to it, VerificationError if a document, the SBOM or the
        layout is of another image or was changed.
        """
        documents = self.documents
        layout = self._layout(variant)
        require_sound(
            documents.read(CheckReport, variant), hint="an image that is not sound is not published"
        )
        require_booted(
            documents.read(BootReport, variant),
            self.context.settings.boot.policy,
            digest=layout.digest,
            hint="an image that does not boot is not published",
        )
        sbom, image = documents.attested(variant), documents.read(ImageBuild, variant).image_id
        repository = self.context.repository_of(variant.name)
        require_subject(sbom, repository=repository, image_id=image)
        require_whole(documents.layout(variant), digest=layout.digest, image_id=image)
        return PublishRequest(
            variant=variant.name,
            repository=repository,
            digest=layout.digest,
            layout=documents.layout(variant),
            sbom=sbom,
            record=self._record(variant, repository),
            provenance=documents.provenance(variant),
            epoch=variant.source_date_epoch,
            tags=tags_of(self.context.settings, variant, layout.digest),
            rests_on=documents.rests_on(Publication, variant),
            open_host=self._host(variant),
        )

    def _record(self, variant: VariantPlan, repository: str) -> BuildRecord:
        """Return what is known of the build of a variant's image, by what it left.

        Raises VerificationError if that contradicts the plan.
        """
        documents, settings = self.documents, self.context.settings
        steps = {variant.module_id(it): it.kmod.file_name for it in variant.modules}
        full = documents.read(SbomRecord, variant).full_sha256
        return variant_record(
            VariantBuild(
                plan=documents.plan(),
                variant=variant,
                repositories=settings.repositories_of(settings.variants[variant.name]),
                destination=repository,
                image=documents.read(ImageBuild, variant),
                modules={step: documents.module(step, name) for step, name in steps.items()},
                byproducts={**documents.rests_on(Publication, variant), FULL_SBOM: full},
            )
        )

    def _host(self, variant: VariantPlan) -> HostOpener | None:
        """Return what opens a host of a variant, None if its hosts demand no signature."""
        if not variant_demands(self.context.settings, variant.name):
            return None
        layout, environment = self.documents.layout(variant), self.context.tls.environment
        return lambda: open_host(
            self.context.storage, self.local_image(variant), layout, environment
        )

    def local_image(self, variant: VariantPlan) -> str:
        """Return the id of the image that was built; its layout is read if it is not here.

        Raises CheckError or VerificationError if it is not the image that was built.
        """
        storage, image = self.context.storage, self.documents.read(ImageBuild, variant).image_id
        if not is_local(storage, image):
            layout, folder = self._layout(variant), self.documents.layout(variant)
            read_layout(storage, folder, digest=layout.digest, image_id=image)
        return image

    def _layout(self, variant: VariantPlan) -> ImageLayout:
        """Return what is known of the layout of an image; it is fetched if it is not here."""
        layout, folder = self.documents.read(ImageLayout, variant), self.documents.layout(variant)
        context, candidate = self.context, layout.candidate
        environment = context.tls.environment
        fetch_layout(context.run, folder, environment, candidate=candidate, digest=layout.digest)
        return layout


NEEDS = {
    "inspect": ("image",),
    "check": ("inspect",),
    "sbom": ("check",),
    "boot": ("check", "export"),
    "publish": ("sbom", "boot"),
}
"""What each stage waits for in a run."""
COSTS = {"inspect": 25.0, "check": 1.0, "sbom": 10.0, "boot": 60.0}
"""Seconds on two cores; of others 20."""


def stage_lanes(settings: BootSettings) -> dict[str, int]:
    """Return how many nodes of a stage run at once: as many machines as have processors here.

    Two that are emulated on the processors of one take longer than one after the other.
    """
    return {"boot": max(1, len(os.sched_getaffinity(0)) // settings.cores)}


def stage_nodes(
    stages: Stages, plan: Plan, names: Collection[str] = tuple(NEEDS)
) -> tuple[Node, ...]:
    """Return the nodes of these stages, `<stage>:<variant>`, for every variant that is built."""
    return tuple(
        _node(name, getattr(stages, name), variant, NEEDS.get(name, ()))
        for variant in plan.variants
        if variant.verdict is Verdict.BUILD
        for name in names
    )


def _node(stage: str, action: Action, variant: VariantPlan, needs: tuple[str, ...]) -> Node:
    return Node(
        id=f"{stage}:{variant.name}",
        title=f"{stage} {variant.name}",
        action=lambda report: action(variant, report),
        needs=tuple(f"{earlier}:{variant.name}" for earlier in needs),
        variants=(variant.name,),
        cost=COSTS.get(stage, 20.0),
        lane=stage,
    )
