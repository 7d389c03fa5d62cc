"""Read a built image: its files as they are, and what its own programs say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from immutable_base.context import Context
from immutable_base.image.program import Program
from immutable_base.inspect.modules import modules_of
from immutable_base.inspect.rpm import kernel_releases, parse_packages, query
from immutable_base.inspect.units import units_of
from immutable_base.model.facts import Answer, ImageFacts, InitramfsFact, InstalledPackage
from immutable_base.model.plan import VariantPlan
from immutable_base.tools import buildah

MODULES = Path("usr/lib/modules")
# What a compiler or DKMS leaves, and what must be empty in an image.
LEFTOVERS = (
    "usr/src/*", "usr/src/kernels/*", "var/lib/dkms", "var/cache/dnf", "var/cache/libdnf5",
    "var/log/*", "boot/*", "run/*", "tmp/*", "etc/dkms",
)  # fmt: skip


def inspect_image(context: Context, image: str, variant: VariantPlan) -> ImageFacts:
    """Return the facts of a local image.

    `variant` says only where to look: its base image and the names of its module packages. Raises
    CommandError if a program that every image has cannot be run.
    """
    with buildah.container(context, variant.base.pinned) as name:
        base = parse_packages(query(Program(context=context, container=name)))
    with buildah.container(context, image) as name:
        root = buildah.mount(context, name)
        # Before programs run in it: they make files in /run and /var.
        leftovers = _leftovers(root)
        program = Program(context=context, container=name)
        return _collect(
            _Looked(image=image, root=root, program=program, base=base), leftovers, variant
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    image: str
    root: Path
    program: Program
    base: tuple[InstalledPackage, ...]


def _collect(looked: _Looked, leftovers: Sequence[str], variant: VariantPlan) -> ImageFacts:
    root, program = looked.root, looked.program
    kernels = tuple(sorted(path.parent.name for path in (root / MODULES).glob("*/vmlinuz")))
    kmods = tuple(module.kmod.name for module in variant.modules)
    return ImageFacts(
        image=looked.image,
        image_id=buildah.image_id(program.context, looked.image),
        labels=buildah.image_labels(program.context, looked.image),
        kernels=kernels,
        module_trees=tuple(sorted(path.name for path in (root / MODULES).glob("*"))),
        kernel_packages=kernel_releases(program),
        packages=parse_packages(query(program)),
        base_packages=looked.base,
        rpm_lines=tuple(sorted(program.answer("rpm", "--query", "--all").text.splitlines())),
        modules=modules_of(program, root, kernels[0]) if len(kernels) == 1 else (),
        initramfs=_initramfs(program, root, kernels[0]) if len(kernels) == 1 else None,
        leftovers=tuple(leftovers),
        firmware=_firmware(root),
        kargs=_kargs(root),
        units=units_of(program, root),
        verify={name: program.answer("rpm", "--verify", name) for name in kmods},
        dnf_check=program.answer("dnf", "--quiet", "check"),
        bootc_lint=_bootc_lint(program, root),
    )


def _leftovers(root: Path) -> tuple[str, ...]:
    found = {path for pattern in LEFTOVERS for path in root.glob(pattern)}
    # Empty folders belong to the file system package: /usr/src/kernels, /var/log, ...
    kept = (path for path in found if path.is_symlink() or path.is_file() or any(path.iterdir()))
    return tuple(sorted(str(path.relative_to(root)) for path in kept))


def _firmware(root: Path) -> tuple[str, ...]:
    files = (root / "usr/lib/firmware/nvidia").glob("*/gsp*.bin*")
    return tuple(sorted({path.parent.name for path in files}))


def _initramfs(program: Program, root: Path, kernel: str) -> InitramfsFact | None:
    path = MODULES / kernel / "initramfs.img"
    if not (root / path).is_file():
        return None
    status = (root / path).stat()
    return InitramfsFact(
        path=str(path),
        mode=status.st_mode & 0o7777,
        size=status.st_size,
        listing=program.answer("lsinitrd", f"/{path}"),
    )


def _kargs(root: Path) -> dict[str, str]:
    files = sorted((root / "usr/lib/bootc/kargs.d").glob("*"))
    return {path.name: path.read_text("utf-8", "replace") for path in files}


def _bootc_lint(program: Program, root: Path) -> Answer | None:
    if not (root / "usr/bin/bootc").exists():
        return None
    return program.answer("bootc", "container", "lint")
