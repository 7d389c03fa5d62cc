"""Users and groups of an image, and which of them a host gets by sysusers.d."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.inspect.words import fragments, split
from immutable_base.model.facts import AccountFact

GROUP_FIELDS = 4


@dataclass(slots=True, kw_only=True)
class Accounts:
    """What sysusers.d makes: each account, and the file that says so first."""

    users: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    """By `user group`."""


def declared_accounts(root: Path) -> Accounts:
    """Return what the files in sysusers.d make. Source: sysusers.d(5)."""
    found = Accounts()
    for file, lines in fragments(root, "sysusers.d"):
        for line in lines:
            match split(line, 3)[0]:
                case [kind, name, *_] if kind.startswith("u"):
                    # A user brings the group of its name.
                    found.users.setdefault(name, file)
                    found.groups.setdefault(name, file)
                case [kind, name, *_] if kind.startswith("g"):
                    found.groups.setdefault(name, file)
                case [kind, name, group] if kind.startswith("m"):
                    found.members.setdefault(f"{name} {group}", file)
                case _:  # ranges of numbers
                    pass
    return found


def read_accounts(root: Path, declared: Accounts) -> tuple[AccountFact, ...]:
    """Return the accounts in /etc: a host takes them from the image until it changes its own.

    Those in /usr/lib (nss-altfiles) are every host's.
    """
    return tuple(_facts(root, declared))


def known_names(root: Path, declared: Accounts) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of users and of groups that a host has."""
    files = {
        name: {it[0] for place in ("etc", "usr/lib") for it in _entries(root / place / name)}
        for name in ("passwd", "group")
    }
    return (
        frozenset(files["passwd"] | declared.users.keys()),
        frozenset(files["group"] | declared.groups.keys()),
    )


def _facts(root: Path, declared: Accounts) -> Iterator[AccountFact]:
    for entry in _entries(root / "etc/passwd"):
        file = declared.users.get(entry[0], "")
        yield AccountFact(kind="user", name=entry[0], declared_in=file)
    for entry in _entries(root / "etc/group"):
        file = declared.groups.get(entry[0], "")
        yield AccountFact(kind="group", name=entry[0], declared_in=file)
        listed = entry[3] if len(entry) == GROUP_FIELDS else ""
        for member in filter(None, listed.split(",")):
            name = f"{member} {entry[0]}"
            file = declared.members.get(name, "")
            yield AccountFact(kind="member", name=name, declared_in=file)


def _entries(path: Path) -> list[list[str]]:
    """Return the fields of each account; lines that are for NIS, or empty, are none."""
    if not path.is_file():
        return []
    lines = path.read_text("utf-8", "replace").splitlines()
    return [line.split(":") for line in lines if line[:1].isalpha() or line[:1] == "_"]
