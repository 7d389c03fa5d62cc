"""One Debian kernel split into the RPMs that EL and Fedora make of a kernel."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from immutable_base.process import Command, run
from immutable_base_lab.core.signing_key import SigningKey
from immutable_base_lab.debian.kernels import Kernel
from immutable_base_lab.rpms import convert, package
from immutable_base_lab.rpms.package import Recipe

# Directories of modules that a server starts without; EL makes the same cut by a longer list.
NOT_CORE = (
    "sound", "drivers/gpu", "drivers/media", "drivers/net/wireless", "drivers/staging",
    "drivers/infiniband", "drivers/iio", "drivers/bluetooth", "drivers/isdn", "drivers/accel",
    "drivers/usb/gadget", "drivers/video", "drivers/hwmon", "drivers/platform", "drivers/comedi",
    "net/bluetooth", "net/wireless", "net/mac80211", "net/batman-adv", "net/can", "net/6lowpan",
)  # fmt: skip
# What depmod writes: owned so that it goes with the package (kernel.spec does the same).
DEPMOD_FILES = (
    "alias", "alias.bin", "builtin.alias.bin", "builtin.bin", "dep", "dep.bin", "devname",
    "softdep", "symbols", "symbols.bin", "weakdep",
)  # fmt: skip
INSTALL_ONLY = "installonlypkg(kernel)"
COMPILER = re.compile(r"gcc-\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The downloaded packages of a kernel."""

    image: tuple[Path, ...]
    headers: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A kernel with few of its modules."""

    suffix: str
    """Ends the release of every package, so that none is taken for the whole kernel's."""
    kept: tuple[str, ...]
    """What stays of `kernel/` in the tree of modules: folders, and modules without `.ko`."""


def build(
    kernel: Kernel, files: Files, folder: Path, key: SigningKey, *, cut: Cut | None = None
) -> list[Path]:
    """Make every RPM of a kernel; kernel-devel only if Debian has its headers.

    Raises CommandError.
    """
    base = _common(kernel)
    if cut is not None:
        base = replace(base, release=f"{base.release}.{cut.suffix}")
    tree = folder / "image.tree"
    convert.unpack(files.image, tree)
    base = replace(base, mtime=package.newest_mtime(tree))
    _arrange_image(kernel, tree)
    if cut is not None:
        keep_modules(tree / "usr/lib/modules" / kernel.release / "kernel", cut.kept)
    rpms = [
        package.build(_modules(kernel, base), _split(kernel, tree, folder), folder, key),
        package.build(
            _modules_core(kernel, base), _split(kernel, tree, folder, core=True), folder, key
        ),
        package.build(_core(kernel, base), tree, folder, key),
        package.build(_meta(kernel, base), _empty(folder), folder, key),
    ]
    if files.headers:
        devel = folder / "devel.tree"
        _arrange_devel(kernel, files.headers, devel)
        rpms.append(package.build(_devel(kernel, base), devel, folder, key))
        rpms.append(package.build(_matched(base), _empty(folder), folder, key))
    return rpms


def _common(kernel: Kernel) -> Recipe:
    mapped = convert.evr(kernel.image.version)
    return Recipe(
        name="kernel",
        version=mapped.version,
        release=mapped.release,
        arch="x86_64",
        summary="The Linux kernel (Debian's package, split as EL splits it)",
        license="GPL-2.0-only",
        url="https://www.kernel.org/",
        # The modules are compressed one by one already.
        payload="w.ufdio",
        mtime=0,
    )


def _arrange_image(kernel: Kernel, tree: Path) -> None:
    modules = tree / "usr/lib/modules" / kernel.release
    # Debian's kernels before Linux 7 have these in /boot.
    for name in ("vmlinuz", "config", "System.map"):
        in_boot = tree / "boot" / f"{name}-{kernel.release}"
        if in_boot.is_file():
            in_boot.rename(modules / name)
    for unwanted in ("boot", "etc", "usr/share"):
        shutil.rmtree(tree / unwanted, ignore_errors=True)
    (modules / "build").unlink(missing_ok=True)
    (modules / "source").unlink(missing_ok=True)
    (modules / "build").symlink_to(f"/usr/src/kernels/{kernel.release}")
    (modules / "source").symlink_to("build")


def keep_modules(tree: Path, kept: tuple[str, ...]) -> None:
    """Remove every module of a kernel's tree that is neither named nor in a folder that is."""
    for path in sorted(tree.rglob("*.ko*")):
        name = str(path.relative_to(tree)).partition(".ko")[0]
        if not any(name == part or name.startswith(f"{part}/") for part in kept):
            path.unlink()
    for folder in sorted(tree.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _split(kernel: Kernel, tree: Path, folder: Path, *, core: bool = False) -> Path:
    """Move modules out of a tree into one of their own: the rest first, then the core ones."""
    part = folder / ("core.tree" if core else "modules.tree")
    for name in ("",) if core else NOT_CORE:
        inside = Path("usr/lib/modules", kernel.release, "kernel", name)
        if (tree / inside).is_dir():
            (part / inside).parent.mkdir(parents=True, exist_ok=True)
            (tree / inside).rename(part / inside)
    part.mkdir(exist_ok=True)
    return part


def _empty(folder: Path) -> Path:
    tree = folder / "empty.tree"
    tree.mkdir()
    return tree


def _provides(name: str, kernel: Kernel, base: Recipe) -> tuple[str, ...]:
    return (
        f"{name}-uname-r = {kernel.release}",
        f"{name}-x86_64 = {base.evr}",
        INSTALL_ONLY,
    )


def _meta(kernel: Kernel, base: Recipe) -> Recipe:
    needed = ("kernel-core", "kernel-modules", "kernel-modules-core")
    return replace(base, requires=tuple(f"{name}-uname-r = {kernel.release}" for name in needed))


def _core(kernel: Kernel, base: Recipe) -> Recipe:
    modules = f"/usr/lib/modules/{kernel.release}"
    return replace(
        base,
        name="kernel-core",
        requires=(f"kernel-modules-core-uname-r = {kernel.release}",),
        provides=(
            f"kernel-uname-r = {kernel.release}",
            f"kernel-drm-nouveau = {kernel.release}",
            *_provides("kernel-core", kernel, base),
        ),
        ghosts=(
            f"%ghost %attr(0600, root, root) {modules}/initramfs.img",
            *(f"%ghost %attr(0644, root, root) {modules}/modules.{name}" for name in DEPMOD_FILES),
        ),
    )


def _modules_core(kernel: Kernel, base: Recipe) -> Recipe:
    return replace(
        base,
        name="kernel-modules-core",
        requires=(f"kernel-uname-r = {kernel.release}",),
        provides=_provides("kernel-modules-core", kernel, base),
        scripts=(("post", f"depmod -a {kernel.release} || :"),),
    )


def _modules(kernel: Kernel, base: Recipe) -> Recipe:
    return replace(
        base,
        name="kernel-modules",
        requires=(
            f"kernel-uname-r = {kernel.release}",
            f"kernel-modules-core-uname-r = {kernel.release}",
        ),
        provides=_provides("kernel-modules", kernel, base),
        scripts=(("post", f"depmod -a {kernel.release} || :"),),
    )


def compiler(kernel: Kernel) -> str:
    """Return the package of the compiler that built a kernel, such as `gcc-14`."""
    names = {
        relation.name for deb in kernel.headers
        for group in deb.relations("depends") for relation in group
    }  # fmt: skip
    return next((name for name in sorted(names) if COMPILER.fullmatch(name)), "gcc")


def _devel(kernel: Kernel, base: Recipe) -> Recipe:
    return replace(
        base,
        name="kernel-devel",
        summary="Headers and build files for modules of this kernel",
        requires=(compiler(kernel), "elfutils-libelf", "make", "openssl-libs", "perl-interpreter"),
        provides=_provides("kernel-devel", kernel, base),
    )


def _matched(base: Recipe) -> Recipe:
    return replace(
        base,
        name="kernel-devel-matched",
        requires=(f"kernel-core = {base.evr}", f"kernel-devel = {base.evr}"),
    )


def _arrange_devel(kernel: Kernel, headers: tuple[Path, ...], tree: Path) -> None:
    """Merge Debian's three header packages into the one tree that EL has."""
    convert.unpack(headers, tree)
    sources = tree / "usr/src"
    merged = sources / "kernels" / kernel.release
    merged.parent.mkdir(parents=True)
    abi = kernel.release.removesuffix("-amd64")
    (sources / f"linux-headers-{abi}-common").rename(merged)
    makefile = (merged / "Makefile").read_bytes()
    for name in ("scripts", "tools"):
        # Debian links these to linux-kbuild, whose built programs belong in the same tree.
        _drop_link(merged / name)
        _copy(tree / "usr/lib" / f"linux-kbuild-{abi}" / name, merged / name)
        _drop_link(sources / f"linux-headers-{kernel.release}" / name)
    _copy(sources / f"linux-headers-{kernel.release}", merged)
    # The flavour's Makefile only points at the common tree.
    (merged / "Makefile").write_bytes(makefile)
    # The types of the kernel (BTF), against which kbuild would describe modules by pahole, which
    # EL's kernel-devel does not need either.
    (merged / "vmlinux").unlink(missing_ok=True)
    # Thousands of empty files, by which kbuild knows which option changed since it last compiled.
    for marker in (merged / "include" / "config").iterdir():
        if not marker.stat().st_size:
            marker.unlink()
    others = (each for each in (merged / "arch").iterdir() if each.is_dir() and each.name != "x86")
    for leftover in (*others, *sources.glob("linux-*"), tree / "usr/lib", tree / "usr/share"):
        shutil.rmtree(leftover, ignore_errors=True)


def _drop_link(path: Path) -> None:
    if path.is_symlink():
        path.unlink()


def _copy(origin: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    run(Command(argv=("cp", "-a", f"{origin}/.", f"{target}/"), timeout=300))
