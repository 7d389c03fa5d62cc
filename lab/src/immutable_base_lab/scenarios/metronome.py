"""The module of the tiny stream, packaged as OpenZFS and NVIDIA are: DKMS sources and userspace."""

from __future__ import annotations

from pathlib import Path

from immutable_base_lab.core.files import copy_data
from immutable_base_lab.rpms import merge, package
from immutable_base_lab.rpms.jobs import Job, Workshop
from immutable_base_lab.rpms.package import Recipe
from immutable_base_lab.scenarios.tiny_content import MODULE_REPOSITORY

FILES = Path(__file__).parent / "files" / "metronome"
SOUND, BROKEN = "1.0", "2.0"
"""Versions: one that compiles, and one that calls what Linux 4.15 removed."""
REMOVED = ("timer_setup(&pendulum, beat, 0);", "init_timer(&pendulum);")
"""The call that the broken version has otherwise, and what it has instead."""
FOLDER = "var/lib/metronome"
"""A folder of the program's that no tmpfiles.d makes, as many packages have one."""
MAKE_USER = """\
grep -q '^metronome:' /etc/passwd && exit 0
echo 'metronome:x:345:' >>/etc/group
echo 'metronome:x:345:345:The metronome:/var/lib/metronome:/usr/sbin/nologin' >>/etc/passwd
"""
"""What useradd in a scriptlet does, and no sysusers.d says."""
# Nothing here has a date: one fixed second keeps the packages the same.
MTIME = 1_700_000_000


def jobs(workshop: Workshop) -> list[Job]:
    """Return the making of both versions' packages."""
    return [_job(workshop, version) for version in (SOUND, BROKEN)]


def inputs() -> list[tuple[str, str]]:
    """Return path and text of everything that the packages are made of."""
    paths = sorted(path for path in FILES.rglob("*") if path.is_file())
    texts = [(str(path.relative_to(FILES)), path.read_text()) for path in paths]
    return [*texts, ("folder", FOLDER), ("%pre", MAKE_USER)]


def source_of(version: str) -> str:
    """Return the module's source. Raises ValueError if it lost the call that one version breaks."""
    text = (FILES / "source/metronome.c").read_text().replace("@VERSION@", version)
    if text.count(REMOVED[0]) != 1:
        raise ValueError(f"metronome.c has {text.count(REMOVED[0])} calls `{REMOVED[0]}`, not one")
    return text.replace(*REMOVED) if version == BROKEN else text


def _job(workshop: Workshop, version: str) -> Job:
    def make_folder(folder: Path) -> None:
        for recipe, tree in (_dkms(version, folder), _userspace(version, folder)):
            package.build(recipe, tree, folder, workshop.key)

    def make() -> list[Path]:
        return workshop.cached(f"metronome-{version}", (version, inputs(), REMOVED), make_folder)

    return Job(name=f"metronome {version}", place=lambda _rpm: (MODULE_REPOSITORY,), make=make)


def _dkms(version: str, folder: Path) -> tuple[Recipe, Path]:
    tree = folder / "dkms.tree"
    source = tree / "usr/src" / f"metronome-{version}"
    copy_data(FILES / "source", source)
    (source / "metronome.c").write_text(source_of(version))
    conf = source / "dkms.conf"
    conf.write_text(conf.read_text().replace("@VERSION@", version))
    recipe = Recipe(
        name="metronome-dkms",
        version=version,
        release="1",
        arch="noarch",
        summary="Source of the kernel module metronome",
        license="GPL-2.0-only",
        requires=("dkms >= 3.0", "gcc", "make"),
        provides=(f"metronome-kmod = {version}",),
        scripts=merge.dkms_scripts("metronome", version),
        mtime=MTIME,
    )
    return recipe, tree


def _userspace(version: str, folder: Path) -> tuple[Recipe, Path]:
    tree = folder / "program.tree"
    copy_data(FILES / "program", tree)
    (tree / "usr/bin/metronome").chmod(0o755)
    (tree / FOLDER).mkdir(parents=True)
    recipe = Recipe(
        name="metronome",
        version=version,
        release="1",
        arch="noarch",
        summary="Shows how often the kernel module metronome has beaten",
        license="Apache-2.0",
        requires=("bash", "coreutils", "grep", f"metronome-kmod = {version}"),
        scripts=(("pre", MAKE_USER),),
        mtime=MTIME,
    )
    return recipe, tree
