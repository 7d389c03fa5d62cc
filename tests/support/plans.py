"""A small plan, as the planner would make it."""

from immutable_base.model.checksum import Checksum
from immutable_base.model.plan import (
    BasePlan,
    KernelAction,
    KernelPlan,
    LayerPlan,
    ModulePlan,
    Package,
    Plan,
    RepositoryPlan,
    VariantPlan,
    Verdict,
)

BASE = BasePlan(
    reference="registry.example/centos-bootc:stream10", digest="sha256:" + "a" * 64, created=1_000
)
REPOSITORY = RepositoryPlan(
    id="baseos", url="https://repo.example/", revision="1", repomd_sha256="e" * 64,
    metadata_signed_by=None, packages=7,
)  # fmt: skip
K1, K2 = "6.12.94-1.el10.x86_64", "6.12.117-1.el10.x86_64"


def sha256_of(text):
    return Checksum.of("sha256", text.encode().hex().ljust(64, "0")[:64])


def package(name, version="1", release="1.el10", *, epoch=0, arch="x86_64", repository="baseos"):
    return Package(
        name=name, epoch=epoch, version=version, release=release, arch=arch, repository=repository,
        url="" if repository == "local" else f"https://repo.example/{name}.rpm",
        checksum=None if repository == "local" else sha256_of(f"{name}-{epoch}:{version}-{release}"),
        size=10, build_time=2_000,
    )  # fmt: skip


def layer(name, *packages, epoch=2_000, erase=()):
    return LayerPlan(
        name=name,
        request=tuple(p.nevra for p in packages),
        install=tuple(packages),
        erase=erase,
        source_date_epoch=epoch,
    )


def module(kernel, name="zfs", version="2.3.9"):
    return ModulePlan(
        name=name, version=version, maximum="7.2",
        source=package(f"{name}-dkms", version, "1"),
        kmod=package(f"kmod-{name}-prebuilt", version, f"1.{kernel.replace('-', '_')}", repository="local"),
        builder=(
            package(f"{name}-dkms", version, "1"), package("dkms"), package("gcc"),
            package("kernel-devel", kernel), package("kernel-devel-matched", kernel),
        ),
        builder_request=(
            f"{name}-dkms-{version}-1.x86_64", "gcc-1-1.el10.x86_64", f"kernel-devel-{kernel}-1.el10.x86_64",
        ),
        source_date_epoch=2_500,
    )  # fmt: skip


def variant(name, kernel, *layers, modules=(), verdict=Verdict.BUILD):
    return VariantPlan(
        name=name, stream="centos-stream-10", verdict=verdict, base=BASE,
        kernel=KernelPlan(
            image="6.12.0", image_evr="6.12.0-1", chosen=kernel, chosen_evr=kernel, action=KernelAction.UP,
            source="repository", ceiling=None, rejected=(),
        ),
        modules=tuple(modules), layers=tuple(layers), packages=(), reasons=(),
    )  # fmt: skip


def plan():
    """base; base-zfs on K2; base-zfs-again with the same stack; base-zfs-old on K1; one on hold."""
    utilities = layer("base", package("htop"))
    zfs2, zfs1 = module(K2), module(K1)

    def stack(kernel, zfs):
        return (
            utilities,
            layer("kernel", package("kernel-core", kernel), erase=("kernel-core",)),
            layer("zfs", package("zfs", "2.3.9"), zfs.kmod, epoch=3_000),
        )

    return Plan(
        repositories=(REPOSITORY,),
        keys=(),
        variants=(
            variant("base", "6.12.0", utilities),
            variant("base-zfs", K2, *stack(K2, zfs2), modules=[zfs2]),
            variant("base-zfs-again", K2, *stack(K2, zfs2), modules=[zfs2]),
            variant("base-zfs-old", K1, *stack(K1, zfs1), modules=[zfs1]),
            variant("base-held", None, verdict=Verdict.HOLD),
        ),
    )
