"""What each step of a build does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.build.admission_files import LAYER as ADMISSION_LAYER
from immutable_base.build.admission_files import admission_files
from immutable_base.build.graph import BuildGraph, ImageStep, LayerStep
from immutable_base.build.host_files import write_host_trust
from immutable_base.build.injected import injected_names, remove_injected
from immutable_base.build.input_folder import TARGET, Content, copy_context, make_mount
from immutable_base.build.inputs import BuildInputs
from immutable_base.build.log_tail import following
from immutable_base.build.made_of import image_sum, layer_sum
from immutable_base.build.packages import Store
from immutable_base.documents import name_of, step_name
from immutable_base.model.build import ImageBuild, LayerRecord
from immutable_base.plan.labels import base_annotations, correct, variant_labels
from immutable_base.policy.demands import variant_demands
from immutable_base.process import LineSink
from immutable_base.tools import buildah
from immutable_base.trusted_keys import host_trust_of


@dataclass(slots=True)
class Build:
    """A build under way: its graph, and what its nodes have made so far."""

    inputs: BuildInputs
    graph: BuildGraph
    store: Store | None = None
    packages: dict[str, Path] = field(default_factory=dict)
    """Module step to its kmod package."""
    layers: dict[str, LayerRecord] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    """Variant to the id of its image."""

    @property
    def fetched(self) -> Store:
        """The store that the fetch node filled."""
        if self.store is None:
            raise RuntimeError("a step ran before the fetch node")
        return self.store

    def log_file(self, step: str) -> Path:
        """Return where the log of a step is."""
        return self.inputs.logs / f"{step_name(step)}.log"


def build_layer(build: Build, step: LayerStep, report: LineSink) -> None:
    """Build a layer on top of the one below."""
    started = time.monotonic()
    epoch = step.layer.source_date_epoch
    mount = make_mount(
        build.inputs,
        build.fetched,
        step.id,
        Content(
            packages=step.layer.install,
            requests={"request": step.layer.request, "erase": step.layer.erase},
            epoch=epoch,
            local=tuple(build.packages[module] for module in step.modules),
            files=_files(build.inputs, step),
        ),
    )
    folder = copy_context(build.inputs, step.layer.name, step.id)
    below = build.layers[step.parent].image_id if step.parent else step.base.pinned
    kernel = {"KERNEL_RELEASE": step.kernel} if step.kernel else {}
    request = buildah.BuildRequest(
        containerfile=folder / "Containerfile",
        folder=folder,
        tag=step.tag,
        epoch=epoch,
        log_file=build.log_file(step.id),
        arguments={"BASE_IMAGE": below, "SOURCE_DATE_EPOCH": str(epoch), **kernel},
        volumes=(buildah.Volume(source=mount, target=TARGET),),
    )
    with following(request.log_file, report):
        image = buildah.build(build.inputs.storage, request)
    build.layers[step.id] = LayerRecord(
        id=step.id,
        image_id=image,
        variants=step.variants,
        made_of=layer_sum((folder, mount / "bin", mount / ADMISSION_LAYER)),
        seconds=round(time.monotonic() - started, 1),
    )


def _files(inputs: BuildInputs, step: LayerStep) -> dict[str, bytes]:
    """Return what a layer gets from the product itself: the program on hosts, by `[signing]`."""
    if step.layer.name != ADMISSION_LAYER:
        return {}
    found = admission_files(
        inputs.settings.trust(), inputs.config_folder, step.layer.source_date_epoch
    )
    return {f"{ADMISSION_LAYER}/{path}": content for path, content in found.items()}


def build_image(build: Build, step: ImageStep, report: LineSink) -> str:
    """Give the topmost layer what no layer can: labels, and whose images its hosts take.

    Writes down which image that made. Raises CheckError if the base's policy cannot be read.
    """
    started = time.monotonic()
    inputs, variant = build.inputs, step.variant
    below = build.layers[step.parent].image_id if step.parent else variant.base.pinned
    request = _commit_request(inputs, step)
    demands = variant_demands(inputs.settings, variant.name)
    trust = host_trust_of(inputs.settings, inputs.config_folder) if demands else None
    layers = tuple(_stack(build, step.parent))
    said = {**request.labels, **request.annotations}
    with buildah.mounted(inputs.storage, variant.base.pinned) as base:
        before = injected_names(base)
    with buildah.container(inputs.storage, below) as name:
        root = buildah.mount(inputs.storage, name)
        for path in remove_injected(root, before):
            report(f"removed /{path}, an empty file that buildah put there")
        if trust:
            write_host_trust(root, trust)
        image = buildah.commit(inputs.storage, name, request)
    record = ImageBuild(
        rests_on=inputs.documents.rests_on(ImageBuild, variant),
        variant=variant.name,
        image_id=image,
        layers=layers,
        made_of=image_sum([layer.made_of for layer in layers], said, trust),
        buildah=buildah.version(inputs.storage.run),
        seconds=round(time.monotonic() - started, 1),
    )
    inputs.documents.write(name_of(ImageBuild, variant), record)
    build.images[variant.name] = image
    return image[:12]


def _commit_request(inputs: BuildInputs, step: ImageStep) -> buildah.CommitRequest:
    """Return our labels and annotations, and corrections of the base's."""
    variant = step.variant
    labels, annotations = buildah.image_labels(inputs.storage, variant.base.pinned)
    return buildah.CommitRequest(
        tag=step.tag,
        epoch=variant.source_date_epoch,
        labels={**correct(labels, variant.kernel), **variant_labels(inputs.settings, variant)},
        annotations={**correct(annotations, variant.kernel), **base_annotations(variant)},
    )


def _stack(build: Build, step: str | None) -> list[LayerRecord]:
    """Return the layers of an image, from the base image upwards."""
    if step is None:
        return []
    below = next(layer.parent for layer in build.graph.layers if layer.id == step)
    return [*_stack(build, below), build.layers[step]]
