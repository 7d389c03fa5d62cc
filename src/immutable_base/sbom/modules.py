"""The kernel modules that we compiled, as components."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.component import Component, ComponentType

from immutable_base.config.schema import Settings
from immutable_base.errors import CheckError
from immutable_base.image.layout import MODULES
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan
from immutable_base.sbom.subject import KERNEL_RELEASE
from immutable_base.workspace import file_digest


def module_components(settings: Settings, root: Path, variant: VariantPlan) -> Iterator[Component]:
    """Yield one component for each module file that the variant's plan promises.

    Raises CheckError if the image has a module not at all or more than once.
    """
    release = variant.kernel.chosen or variant.kernel.image
    for module in variant.modules:
        for name in settings.modules[module.name].ko:
            yield _component(root, _find(root, release, name), module.version, module.kmod.nevra)


def _find(root: Path, release: str, name: str) -> Path:
    folder = root / MODULES / release
    found = sorted(path for path in folder.rglob(f"{name}.ko*") if path.is_file())
    if len(found) != 1:
        raise CheckError(
            f"the image has {len(found)} files for the module {name} of kernel {release}, not one",
            details="\n".join(str(path.relative_to(root)) for path in found),
        )
    return found[0]


def found_modules(facts: ImageFacts, root: Path) -> Iterator[Component]:
    """Yield one component for each module file that was read from the image at `root`."""
    packages = {package.name: str(package) for package in facts.packages}
    for module in facts.modules:
        owner = packages.get(module.owner, module.owner)
        yield _component(root, root / module.path, module.version, owner)


def _component(root: Path, path: Path, version: str, package: str) -> Component:
    release = path.relative_to(root / MODULES).parts[0]
    name = f"{path.name.partition('.ko')[0]}.ko"
    return Component(
        # CycloneDX has no type for kernel modules; its specification's fallback is `library`.
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        bom_ref=f"module:{release}:{name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file_digest(path))],
        properties=[
            Property(name=KERNEL_RELEASE, value=release),
            Property(name="immutable-base:package", value=package),
            Property(name="immutable-base:path", value=f"/{path.relative_to(root)}"),
        ],
    )
