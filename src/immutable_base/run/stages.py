"""From each variant's built image to its publication: check, SBOM, export, publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from immutable_base.build.graph import image_tag
from immutable_base.check.run_checks import require_sound
from immutable_base.context import Context
from immutable_base.inspect.collect import inspect_image
from immutable_base.inspect.compare import read_json
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import Plan, VariantPlan, Verdict
from immutable_base.model.publish import Publication
from immutable_base.process import LineSink
from immutable_base.publish.publish import PublishRequest, publish_variant
from immutable_base.publish.tag_names import tags_of
from immutable_base.run.outcomes import StageResults
from immutable_base.run.previous import LAYOUTS, difference
from immutable_base.sbom.make import make_sbom
from immutable_base.schedule import Node
from immutable_base.tools import buildah


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An image as it will be pushed."""

    layout: Path
    digest: str


@dataclass(slots=True)
class VariantStages:
    """Checks, exports and publishes each built variant, and holds what one stage hands to the next.

    Each variant's nodes write only its own part.
    """

    context: Context
    plan: Plan
    _facts: dict[str, ImageFacts] = field(default_factory=dict)
    _sboms: dict[str, Path] = field(default_factory=dict)
    _exported: dict[str, Exported] = field(default_factory=dict)
    _results: dict[str, StageResults] = field(default_factory=dict)

    def results(self, variant: str) -> StageResults:
        """Return what a variant's stages have produced so far."""
        return self._results.get(variant, StageResults())

    def publications(self) -> tuple[Publication, ...]:
        """Return what was published, in the plan's order."""
        found = (self.results(variant.name).publication for variant in self.plan.variants)
        return tuple(publication for publication in found if publication is not None)

    def check(self, variant: VariantPlan, report: LineSink) -> str:
        """Inspect the image, and require what the plan promised."""
        facts = inspect_image(self.context.storage, image_tag(variant.name), variant)
        document = self.context.run_folder / "check" / f"{variant.name}.json"
        findings = require_sound(facts, variant, self.context.settings, document=document)
        for finding in findings:
            report(str(finding))
        self._facts[variant.name] = facts
        self._results[variant.name] = StageResults(packages=len(facts.packages))
        return f"{len(facts.packages)} packages"

    def sbom(self, variant: VariantPlan, _report: LineSink) -> str:
        """Write the SBOM of the image that was checked."""
        context, facts = self.context, self._facts[variant.name]
        document = context.run_folder / "sbom" / f"{variant.name}.cdx.json"
        with buildah.mounted(context.storage, facts.image_id) as root:
            make_sbom(
                context.run,
                context.settings,
                root,
                variant=variant,
                facts=facts,
                document=document,
            )
        self._sboms[variant.name] = document
        return f"{len(facts.packages)} packages"

    def export(self, variant: VariantPlan, _report: LineSink) -> str:
        """Write the image that was checked as the registry will have it."""
        layout = self.context.run_folder / LAYOUTS / variant.name
        image_id = self._facts[variant.name].image_id
        digest = buildah.write_layout(self.context.storage, image_id, layout)
        self._exported[variant.name] = Exported(layout=layout, digest=digest)
        differs = difference(self.context, variant, layout)
        self._results[variant.name] = replace(
            self.results(variant.name),
            size=layout_size(layout, digest),
            difference=str(differs) if differs else None,
        )
        return (
            f"{digest}, differs from the last image of the same plan: {differs}"
            if differs
            else digest
        )

    def publish(self, variant: VariantPlan, _report: LineSink) -> str:
        """Push, sign, attest, verify, and only then move the tags."""
        exported = self._exported[variant.name]
        request = PublishRequest(
            variant=variant.name,
            repository=self.context.repository_of(variant.name),
            digest=exported.digest,
            layout=exported.layout,
            sbom=self._sboms[variant.name],
            tags=tags_of(self.context.settings, variant),
        )
        publication = publish_variant(self.context.verifier(), request)
        known = self.results(variant.name)
        self._results[variant.name] = replace(known, publication=publication)
        return str(publication.status)


def stage_nodes(stages: VariantStages) -> tuple[Node, ...]:
    """Return check:*, sbom:*, export:* and publish:* for every variant that is built."""
    nodes: list[Node] = []
    for variant in stages.plan.variants:
        if variant.verdict is Verdict.BUILD:
            nodes += [
                _node("check", stages.check, variant, needs=("image",)),
                _node("sbom", stages.sbom, variant, needs=("check",)),
                _node("export", stages.export, variant, needs=("check",)),
                _node("publish", stages.publish, variant, needs=("sbom", "export")),
            ]
    return tuple(nodes)


def _node(
    stage: str,
    action: Callable[[VariantPlan, LineSink], str],
    variant: VariantPlan,
    *,
    needs: tuple[str, ...],
) -> Node:
    return Node(
        id=f"{stage}:{variant.name}",
        title=f"{stage} {variant.name}",
        action=lambda report: action(variant, report),
        needs=tuple(f"{earlier}:{variant.name}" for earlier in needs),
        variants=(variant.name,),
        cost=20.0,
    )


def layout_size(layout: Path, digest: str) -> int:
    """Return the bytes of an image's layers and configuration in an OCI layout."""
    manifest = read_json(layout, digest)
    parts = [manifest["config"], *manifest["layers"]]
    return sum(int(part["size"]) for part in parts)
