"""Compile a module, sign what came out, and pack it: two builds with nothing secret in either.

The key stays in this process. Between the two builds it signs the compiled modules; the second one
appends these signatures. So no module's build scripts ever run beside the key.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

from immutable_base.build.graph import PREFIX, ModuleStep
from immutable_base.build.input_folder import TARGET, Content, copy_context, make_mount
from immutable_base.build.log_tail import following
from immutable_base.build.steps import Build
from immutable_base.config.schema import Settings
from immutable_base.documents import MODULES, PLAN, module_name, step_name
from immutable_base.errors import CheckError, CommandError, ConfigurationError
from immutable_base.model.build import ModuleBuild, ModuleFile
from immutable_base.process import LineSink
from immutable_base.tools import buildah
from immutable_base.tools.module_signature import HASH
from immutable_base.workspace import file_digest

OUTPUT = "/run/output"
COMPILED, SIGNATURES, CERTIFICATES = "compiled", "signatures", "certificates"
"""Folders of a builder's output: modules, and what its second build puts to them."""
# What gcc, make and OpenZFS' configure write before they give up.
COMPILER_ERROR = re.compile(r"(error|Error|ERROR|fatal):? |maximum supported")
MAKE_LOG_ERRORS, MAKE_LOG_LINES = 20, 30


def build_module(build: Build, step: ModuleStep, report: LineSink) -> str:
    """Compile a module in a builder that is thrown away, and keep its package.

    Raises CommandError with the compiler's output if it does not build, CheckError if what came out
    is not what the plan promised.
    """
    started = time.monotonic()
    output = build.inputs.run_folder / MODULES / step_name(step.id)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    try:
        _compile_sign_pack(build, step, output, report)
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
    for folder in (COMPILED, SIGNATURES, CERTIFICATES):
        shutil.rmtree(output / folder, ignore_errors=True)
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
        buildah=buildah.version(build.inputs.storage.run),
        seconds=round(time.monotonic() - started, 1),
        processor_seconds=_processor_seconds(output / "processor-ticks"),
    )
    documents.write(module_name(step.id), record)
    build.packages[step.id] = package
    return package.name


def _compile_sign_pack(build: Build, step: ModuleStep, output: Path, report: LineSink) -> None:
    storage, request = build.inputs.storage, _builder_request(build, step, output)
    with following(request.log_file, report):
        builder = buildah.build(storage, request)
    try:
        if step.signer is not None:
            _sign_modules(build, step, output)
        request = _pack_request(build, step, output, builder)
        with following(request.log_file, report):
            buildah.remove_image(storage, buildah.build(storage, request))
    finally:
        buildah.remove_image(storage, builder)


def _sign_modules(build: Build, step: ModuleStep, output: Path) -> None:
    """Sign what was compiled, and lay the signatures and the certificates beside it.

    Raises CheckError if a module is not there, or is no plain file: the builder has made it.
    """
    key = build.inputs.module_key
    if key is None or step.signer is None:
        raise ConfigurationError("there is no key for the modules of this build")
    (output / SIGNATURES).mkdir()
    for name in build.inputs.settings.modules[step.module.name].ko:
        path = output / COMPILED / f"{name}.ko"
        if path.is_symlink() or not path.is_file():
            raise CheckError(f"the builder of {step.module.name} did not make {path.name}")
        (output / SIGNATURES / f"{name}.p7s").write_bytes(key.sign(path.read_bytes()))
    (output / CERTIFICATES).mkdir()
    for file_name, certificate in step.signer.certificates.items():
        (output / CERTIFICATES / file_name).write_bytes(certificate)


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


def _pack_request(
    build: Build, step: ModuleStep, output: Path, builder: str
) -> buildah.BuildRequest:
    """Return the build that signs and packs, on top of the one that has compiled."""
    folder = build.inputs.run_folder / "context" / step_name(step.id)
    return buildah.BuildRequest(
        containerfile=folder / "Containerfile.pack",
        folder=folder,
        tag=f"{PREFIX}/packer/{step.module.name}:{step.kernel.replace('+', '_')}",
        epoch=step.module.source_date_epoch,
        log_file=build.log_file(f"{step.id}.pack"),
        arguments=_packer_arguments(build.inputs.settings, step, builder),
        volumes=(buildah.Volume(source=output, target=OUTPUT, writable=True),),
    )


def _arguments(settings: Settings, step: ModuleStep) -> dict[str, str]:
    """Return what both builds of a module are told."""
    return {
        "SOURCE_DATE_EPOCH": str(step.module.source_date_epoch),
        "KERNEL_RELEASE": step.kernel,
        "KO": " ".join(settings.modules[step.module.name].ko),
        "SIGNATURE_HASH": HASH if step.signer else "",
    }


def _builder_arguments(settings: Settings, step: ModuleStep) -> dict[str, str]:
    return {
        **_arguments(settings, step),
        "BASE_IMAGE": step.base.pinned,
        "MODULE": settings.modules[step.module.name].dkms_name,
        "MODULE_VERSION": step.module.version,
    }


def _packer_arguments(settings: Settings, step: ModuleStep, builder: str) -> dict[str, str]:
    kmod = step.module.kmod
    return {
        **_arguments(settings, step),
        "BASE_IMAGE": builder,
        "KMOD_NAME": kmod.name,
        "KMOD_EPOCH": str(kmod.epoch),
        "KMOD_VERSION": kmod.version,
        "KMOD_RELEASE": kmod.release,
        "KMOD_PROVIDES": settings.modules[step.module.name].provides,
        "SOURCE_PACKAGE": step.module.source.name,
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


def _module_files(listing: Path) -> tuple[ModuleFile, ...]:
    """Read the builder's list: a line of sha256sum per module."""
    rows = (line.split() for line in listing.read_text().splitlines())
    return tuple(ModuleFile(name=name, sha256=digest) for digest, name in rows)


def _processor_seconds(path: Path) -> float:
    """Read what the builder counted for `dkms build`."""
    return round(int(path.read_text()) / os.sysconf("SC_CLK_TCK"), 1)
