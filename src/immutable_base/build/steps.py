"""What each step of a build does."""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.build.admission_files import LAYER as ADMISSION_LAYER
from immutable_base.build.admission_files import admission_files
from immutable_base.build.graph import PREFIX, BuildGraph, ImageStep, LayerStep, ModuleStep
from immutable_base.build.injected import injected_names, remove_injected
from immutable_base.build.input_folder import TARGET, Content, copy_context, make_mount
from immutable_base.build.inputs import BuildInputs
from immutable_base.build.log_tail import following
from immutable_base.build.packages import Store
from immutable_base.config.schema import Settings
from immutable_base.documents import MODULES, PLAN, module_name, name_of, step_name
from immutable_base.errors import CheckError, CommandError
from immutable_base.model.build import ImageBuild, LayerRecord, ModuleBuild, ModuleFile
from immutable_base.plan.labels import base_annotations, correct, variant_labels
from immutable_base.process import LineSink
from immutable_base.tools import buildah
from immutable_base.workspace import file_digest

OUTPUT = "/run/output"
# What gcc, make and OpenZFS' configure write before they give up.
COMPILER_ERROR = re.compile(r"(error|Error|ERROR|fatal):? |maximum supported")
MAKE_LOG_ERRORS, MAKE_LOG_LINES = 20, 30


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


def build_module(build: Build, step: ModuleStep, report: LineSink) -> str:
    """Compile a module in a builder that is thrown away, and keep its package.

    Raises CommandError with the compiler's output if it does not build, CheckError if what came out
    is not what the plan promised.
    """
    started = time.monotonic()
    output = build.inputs.run_folder / MODULES / step_name(step.id)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    request = _builder_request(build, step, output)
    storage = build.inputs.storage
    try:
        with following(request.log_file, report):
            buildah.remove_image(storage, buildah.build(storage, request))
    except CommandError as error:
        # From the file: a build step's own output may lose its last lines.
        raise CommandError(
            error.message, details=_builders_words(output) or error.details, hint=error.hint
        ) from error
    package = output / step.module.kmod.file_name
    if not package.is_file():
        raise CheckError(
            f"the builder of {step.module.name} did not make {package.name}",
            details="\n".join(sorted(path.name for path in output.iterdir())),
        )
    documents = build.inputs.documents
    record = ModuleBuild(
        rests_on=documents.digests([PLAN]),
        id=step.id,
        name=step.module.name,
        version=step.module.version,
        kernel=step.kernel,
        package=package.name,
        sha256=file_digest(package),
        files=_module_files(output / "modules.sha256"),
        buildah=buildah.version(storage.run),
        seconds=round(time.monotonic() - started, 1),
        processor_seconds=_processor_seconds(output / "processor-ticks"),
    )
    documents.write(module_name(step.id), record)
    build.packages[step.id] = package
    return package.name


def take_module(build: Build, step: ModuleStep, _report: LineSink) -> str:
    """Take a kmod package that an earlier build of the same plan made.

    Raises ConfigurationError if it is not here, VerificationError if it is of another plan or was
    changed since.
    """
    build.packages[step.id] = build.inputs.documents.package(step.id, step.module.kmod.file_name)
    return step.module.kmod.file_name


def _builders_words(output: Path) -> str:
    """Return what the builder left in files when it failed, empty if it did not come so far.

    That is the sentence of the step that failed and, if it was the compiler's, the errors in DKMS'
    make.log and its end.
    """
    failure, log_file = output / "failure", output / "make.log"
    found = failure.read_text("utf-8", "replace").splitlines() if failure.is_file() else []
    if log_file.is_file():
        lines = log_file.read_text("utf-8", "replace").splitlines()
        errors = [line for line in lines if COMPILER_ERROR.search(line)]
        found += [*errors[:MAKE_LOG_ERRORS], "...", *lines[-MAKE_LOG_LINES:]]
    return "\n".join(found)


def _builder_request(build: Build, step: ModuleStep, output: Path) -> buildah.BuildRequest:
    module = step.module
    without, requested = _split(build.inputs.settings, step)
    content = Content(
        packages=module.builder,
        requests={
            "request": requested,
            "erase": module.builder_erase,
            "request-noscripts": without,
        },
        epoch=module.source_date_epoch,
    )
    mount = make_mount(build.inputs, build.fetched, step.id, content)
    folder = copy_context(build.inputs, "builder", step.id)
    return buildah.BuildRequest(
        containerfile=folder / "Containerfile",
        folder=folder,
        tag=f"{PREFIX}/builder/{module.name}:{step.kernel.replace('+', '_')}",
        epoch=module.source_date_epoch,
        log_file=build.log_file(step.id),
        arguments=_builder_arguments(build.inputs.settings, step),
        volumes=(
            buildah.Volume(source=mount, target=TARGET),
            buildah.Volume(source=output, target=OUTPUT, writable=True),
        ),
    )


def _builder_arguments(settings: Settings, step: ModuleStep) -> dict[str, str]:
    module, kmod = step.module, step.module.kmod
    configured = settings.modules[module.name]
    return {
        "BASE_IMAGE": step.base.pinned,
        "SOURCE_DATE_EPOCH": str(module.source_date_epoch),
        "MODULE": configured.dkms_name,
        "MODULE_VERSION": module.version,
        "KERNEL_RELEASE": step.kernel,
        "KO": " ".join(configured.ko),
        "KMOD_NAME": kmod.name,
        "KMOD_EPOCH": str(kmod.epoch),
        "KMOD_VERSION": kmod.version,
        "KMOD_RELEASE": kmod.release,
        "KMOD_PROVIDES": configured.provides,
        "SOURCE_PACKAGE": module.source.name,
    }


def _split(settings: Settings, step: ModuleStep) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the builder asks for without scriptlets, and with; see its Containerfile.

    Only what the plan asked for: dependencies follow, those of the DKMS package without scriptlets
    as well. Some bring a kernel-devel, a kernel or another DKMS package along.
    """
    kernel = settings.kernel
    quiet = {
        *kernel.packages, *kernel.optional_packages, kernel.devel_package, step.module.source.name,
    }  # fmt: skip
    asked = frozenset(step.module.builder_request)
    packages = [package for package in step.module.builder if package.nevra in asked]
    return (
        tuple(package.nevra for package in packages if package.name in quiet),
        tuple(package.nevra for package in packages if package.name not in quiet),
    )


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
        seconds=round(time.monotonic() - started, 1),
    )


def _files(inputs: BuildInputs, step: LayerStep) -> dict[str, bytes]:
    """Return what a layer gets from the product itself: the program on hosts, by `[signing]`."""
    if step.layer.name != ADMISSION_LAYER:
        return {}
    found = admission_files(inputs.settings.trust(), inputs.config_folder)
    return {f"{ADMISSION_LAYER}/{path}": content for path, content in found.items()}


def build_image(build: Build, step: ImageStep, report: LineSink) -> str:
    """Give the topmost layer the variant's labels, and write down which image that made."""
    started = time.monotonic()
    inputs, variant = build.inputs, step.variant
    below = build.layers[step.parent].image_id if step.parent else variant.base.pinned
    request = _commit_request(inputs, step)
    with buildah.mounted(inputs.storage, variant.base.pinned) as base:
        before = injected_names(base)
    with buildah.container(inputs.storage, below) as name:
        for path in remove_injected(buildah.mount(inputs.storage, name), before):
            report(f"removed /{path}, an empty file that buildah put there")
        image = buildah.commit(inputs.storage, name, request)
    record = ImageBuild(
        rests_on=inputs.documents.rests_on(ImageBuild, variant),
        variant=variant.name,
        image_id=image,
        layers=tuple(_stack(build, step.parent)),
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


def _module_files(listing: Path) -> tuple[ModuleFile, ...]:
    """Read the builder's list: a line of sha256sum per module."""
    rows = (line.split() for line in listing.read_text().splitlines())
    return tuple(ModuleFile(name=name, sha256=digest) for digest, name in rows)


def _processor_seconds(path: Path) -> float:
    """Read what the builder counted for `dkms build`."""
    return round(int(path.read_text()) / os.sysconf("SC_CLK_TCK"), 1)
