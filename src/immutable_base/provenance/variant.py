"""What went into a variant's image: from its plan and the documents of its build; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from immutable_base.errors import VerificationError
from immutable_base.model.build import ImageBuild, ModuleBuild
from immutable_base.model.plan import LOCAL, ModulePlan, Package, Plan, RepositoryPlan, VariantPlan
from immutable_base.provenance.record import (
    REPOSITORY,
    BuildRecord,
    Material,
    base_material,
    package_purl,
    tool_material,
)
from immutable_base.verification.complete.provenance import VARIANT

REPOMD = "repodata/repomd.xml"
"""Where the metadata of a repository begins, below its URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantBuild:
    """The documents of a variant's build, and where its image goes."""

    plan: Plan
    variant: VariantPlan
    repositories: Collection[str]
    """Ids of those that the configuration lets the variant use."""
    destination: str
    """Repository of the image, without a tag."""
    image: ImageBuild
    modules: Mapping[str, ModuleBuild]
    """The packages that were compiled for it, by the ids of the steps that did."""
    byproducts: Mapping[str, str]
    """SHA-256 of its documents, by their names."""


def variant_record(build: VariantBuild) -> BuildRecord:
    """Return what is known of the build of a variant's image.

    Raises VerificationError if the documents contradict the plan: a package that was compiled is
    not the one that is promised, or a package is of a repository that the plan does not know.
    """
    variant = build.variant
    return BuildRecord(
        build_type=VARIANT,
        parameters={
            "variant": variant.name,
            "stream": variant.stream,
            "repository": build.destination,
            "base": variant.base.reference,
            "layers": [layer.name for layer in variant.layers],
        },
        internal={"kernel": variant.kernel_release, "sourceDateEpoch": variant.source_date_epoch},
        materials=(
            base_material(variant.base.pinned, variant.base.reference),
            *map(_metadata, _repositories(build)),
            *(it for module in variant.modules for it in _of_module(build, module)),
            *_tools(build),
        ),
        byproducts=build.byproducts,
    )


def _of_module(build: VariantBuild, module: ModulePlan) -> Iterator[Material]:
    """Yield the source of a module, and our package with what was compiled of it."""
    step = build.variant.module_id(module)
    built = build.modules.get(step)
    promised = (module.name, module.version, build.variant.kernel_release, module.kmod.file_name)
    found = built and (built.name, built.version, built.kernel, built.package)
    if built is None or found != promised:
        raise VerificationError(
            f"what was compiled for {build.variant.name} contradicts the plan",
            details=f"planned: {', '.join(promised)}\nbuilt:   {', '.join(found or ('nothing',))}",
            hint="plan and build again",
        )
    source = module.source.required
    yield Material(
        name=f"source:{module.source.nevra}",
        uri=module.source.url,
        digest={source.algorithm: source.hex},
    )
    yield Material(
        name=f"kmod:{module.kmod.nevra}",
        uri=package_purl(module.kmod),
        digest={"sha256": built.sha256},
    )


def _repositories(build: VariantBuild) -> list[RepositoryPlan]:
    """Return what was read of the repositories that the variant may use.

    A plan of several releases has a repository of each under one id: then it is the one that the
    packages are of.
    """
    by_id: dict[str, list[RepositoryPlan]] = {}
    for found in build.plan.repositories:
        if found.id in build.repositories:
            by_id.setdefault(found.id, []).append(found)
    packages = [it for it in _packages(build.variant) if it.repository != LOCAL]
    unknown = sorted({it.repository for it in packages} - by_id.keys())
    if unknown:
        raise VerificationError(
            f"the plan takes packages of {build.variant.name} from repositories of which it knows "
            f"no metadata: {', '.join(unknown)}",
            hint="plan again",
        )
    return [found for several in by_id.values() for found in _used(several, packages)]


def _used(several: list[RepositoryPlan], packages: list[Package]) -> list[RepositoryPlan]:
    """Return those that packages are of; all if none can be told (`xml:base`)."""
    return [found for found in several if any(_is_of(it, found) for it in packages)] or several


def _is_of(package: Package, repository: RepositoryPlan) -> bool:
    return package.repository == repository.id and package.url.startswith(repository.url)


def _packages(variant: VariantPlan) -> Iterable[Package]:
    yield from (package for layer in variant.layers for package in layer.install)
    for module in variant.modules:
        yield from (module.source, *module.builder)


def _metadata(repository: RepositoryPlan) -> Material:
    return Material(
        # The beginning of the SHA-256 too: two releases may have a repository of one id.
        name=f"{REPOSITORY}{repository.id}@{repository.repomd_sha256[:12]}",
        uri=f"{repository.url.rstrip('/')}/{REPOMD}",
        digest={"sha256": repository.repomd_sha256},
    )


def _tools(build: VariantBuild) -> Iterator[Material]:
    """Yield the programs that built; two machines may have had two versions of one."""
    versions = {build.image.buildah, *(it.buildah for it in build.modules.values())}
    yield from (tool_material("buildah", version) for version in sorted(versions))
