"""A .deb made into the RPM that would carry the same files on an EL-like system."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from immutable_base.model.evr import Evr
from immutable_base.process import Command, run
from immutable_base_lab.core.files import remove
from immutable_base_lab.debian.archive import Deb, DebianRelation
from immutable_base_lab.debian.catalogue import DROPPED, Catalogue
from immutable_base_lab.rpms.package import Recipe

# What moved under /usr in Fedora 17 and Debian 13; the links in / belong to the base.
MERGED = ("bin", "sbin", "lib", "lib64")
OPERATORS = {">=": ">=", "<=": "<=", "=": "=", ">>": ">", "<<": "<", ">": ">=", "<": "<="}
NOT_IN_EVR = re.compile(r"[^A-Za-z0-9._+~^]")


def evr(debian: str) -> Evr:
    """Map a Debian version to rpm's three parts.

    The epoch stays; `-` in an upstream version becomes `.`; a native package has release 0.
    """
    epoch, colon, rest = debian.partition(":")
    if not colon:
        epoch, rest = "0", debian
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return Evr(
        epoch=int(epoch),
        version=NOT_IN_EVR.sub(".", upstream),
        release=NOT_IN_EVR.sub(".", revision) or "0",
    )


def constraint(op: str | None, version: str | None) -> str:
    """Return the part of an rpm dependency after the name, empty if any version will do.

    A Debian version without revision is left without release, so that rpm compares as Debian does.
    """
    if op is None or version is None:
        return ""
    mapped = evr(version)
    if "-" in version and mapped.release != ".":
        return f" {OPERATORS[op]} {mapped}"
    text = str(mapped).rpartition("-")[0]
    # rpm compares such a version without looking at the release: "later than 2.41" is true in
    # Debian for 2.41-12, and "earlier than 2.47-." for every 2.47-N.
    looser = {">": ">=", "<": "<="}
    operator = OPERATORS[op]
    if operator == ">" or mapped.release == ".":
        operator = looser.get(operator, operator)
    return f" {operator} {text}"


class DebianPackages:
    """The Debian packages that exist in the lab, by name and by what they provide."""

    def __init__(self, debs: Iterable[Deb], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._debs: dict[str, Deb] = {}
        self._virtual: set[str] = set()
        for deb in debs:
            self.add(deb)

    def add(self, deb: Deb) -> None:
        """Let a package exist."""
        self._debs[deb.name] = deb
        self._virtual |= {group[0].name for group in deb.relations("provides")}

    def __contains__(self, name: str) -> bool:
        """Tell whether a package or something that provides the name exists."""
        return name in self._debs or name in self._virtual

    def debs(self) -> Iterable[Deb]:
        """Return every package."""
        return self._debs.values()

    def chosen(self, group: Iterable[DebianRelation]) -> DebianRelation | None:
        """Return the first alternative that exists, None if none does."""
        return next((relation for relation in group if relation.name in self), None)

    def requires(self, deb: Deb) -> tuple[str, ...]:
        """Translate what a package needs; what only its maintainer scripts need is left out."""
        groups = deb.relations("pre-depends", "depends")
        wanted = [self.chosen(group) for group in groups if not self.ignored(group)]
        return _unique(self._named(relation) for relation in wanted if relation is not None)

    def conflicts(self, deb: Deb) -> tuple[str, ...]:
        """Translate conflicts with packages that exist."""
        relations = (group[0] for group in deb.relations("conflicts", "breaks"))
        return _unique(
            self._named(relation) for relation in relations
            if relation.name in self._debs and relation.name != deb.name
        )  # fmt: skip

    def provides(self, deb: Deb) -> tuple[str, ...]:
        """Translate the virtual names that a package provides."""
        return _unique(self._named(group[0]) for group in deb.relations("provides"))

    def ignored(self, group: Iterable[DebianRelation]) -> bool:
        """Tell whether a group of alternatives is only for Debian's maintainer scripts."""
        return any(relation.name in self._catalogue.ignored for relation in group)

    def has_own_requires(self, deb: Deb) -> bool:
        """Tell whether the catalogue states the dependencies of a package."""
        return self._catalogue.change(deb.name).requires is not None

    def _named(self, relation: DebianRelation) -> str:
        if relation.name in self._debs or relation.op == "=":
            text = constraint(relation.op, relation.version)
        else:
            # Providers of a virtual name seldom say which version of it they are.
            text = ""
        return self._catalogue.rpm_name(relation.name) + text


def _unique(entries: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(entries)))


def unpack(debs: Iterable[Path], tree: Path) -> None:
    """Unpack packages over each other into a tree with EL's layout. Raises CommandError."""
    tree.mkdir(parents=True, exist_ok=True)
    for deb in debs:
        run(Command(argv=("dpkg-deb", "--extract", str(deb), str(tree)), timeout=300))
    merge_usr(tree)
    for pattern in DROPPED:
        for path in [*tree.glob(pattern.removesuffix("/*"))]:
            remove(path)


def merge_usr(tree: Path) -> None:
    """Move what lies in /bin, /sbin, /lib and /lib64 under /usr."""
    for top in MERGED:
        old = tree / top
        if old.is_symlink():
            old.unlink()
        elif old.is_dir():
            new = tree / "usr" / top
            new.mkdir(parents=True, exist_ok=True)
            run(Command(argv=("cp", "-a", f"{old}/.", f"{new}/"), timeout=300))
            shutil.rmtree(old)


def config_files(debs: Iterable[Path]) -> frozenset[str]:
    """Return the paths that packages declare as configuration."""
    found: set[str] = set()
    for deb in debs:
        listed = run(
            Command(
                argv=("dpkg-deb", "--info", str(deb), "conffiles"), timeout=60, ok=frozenset({0, 2})
            )
        ).text
        found |= {line.strip() for line in listed.splitlines() if line.startswith("/")}
    return frozenset(found)


def recipe(
    deb: Deb, packages: DebianPackages, catalogue: Catalogue, tree: Path, config: frozenset[str]
) -> Recipe:
    """Describe the RPM of one package whose files are unpacked in `tree`; its time is left open."""
    change = catalogue.change(deb.name)
    mapped = evr(deb.version)
    requires = packages.requires(deb) if change.requires is None else change.requires
    requires = _unique((*requires, *change.also_requires))
    return Recipe(
        name=catalogue.rpm_name(deb.name),
        epoch=mapped.epoch,
        version=mapped.version,
        release=mapped.release,
        arch=arch(deb),
        summary=deb.fields["description"].splitlines()[0] or deb.name,
        url=deb.fields.get("homepage", "https://www.debian.org/"),
        requires=requires,
        provides=_unique((*packages.provides(deb), *change.provides)),
        conflicts=packages.conflicts(deb),
        scripts=tuple(scripts(tree).items()),
        config=frozenset(path for path in config if (tree / path[1:]).is_file()),
        mtime=0,
    )


def arch(deb: Deb) -> str:
    """Return rpm's name of a package's architecture."""
    return "noarch" if deb.fields["architecture"] == "all" else "x86_64"


def rpm_file_name(deb: Deb, catalogue: Catalogue) -> str:
    """Return the file name of the RPM that a plain conversion makes."""
    mapped = evr(deb.version)
    return f"{catalogue.rpm_name(deb.name)}-{mapped.version}-{mapped.release}.{arch(deb)}.rpm"


def scripts(tree: Path) -> Mapping[str, str]:
    """Return the scriptlets that EL's packaging macros would write for these files.

    Users come from sysusers.d; units are preset at the first installation, and what a preset
    enables is the release package's choice.
    """
    post = [
        f"systemd-sysusers {path.name} || :"
        for path in sorted(tree.glob("usr/lib/sysusers.d/*.conf"))
    ]
    units = [path.name for path in sorted(tree.glob("usr/lib/systemd/system/*")) if _installs(path)]
    if units:
        post += [
            'if [ "$1" -eq 1 ]; then',
            f"    systemctl --no-reload preset {' '.join(units)} || :",
            "fi",
        ]
    return {"post": "\n".join(post)} if post else {}


def _installs(unit: Path) -> bool:
    if unit.is_symlink() or not unit.is_file() or "@" in unit.name:
        return False
    return "[Install]" in unit.read_text(errors="replace")
