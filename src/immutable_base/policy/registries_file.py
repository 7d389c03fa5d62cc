"""A file of registries.d, as far as its form is the plain one; anything else is not understood.

There is no YAML parser among what the product needs, and none is wanted that reads a file otherwise
than the host's. So a file says each thing on a line of its own, indented by spaces. Pure. Source:
containers-registries.d(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_KEY = (
    r"(?P<indent> *)"
    r"""(?:"(?P<double>[^"\\]+)"|'(?P<single>[^']+)'|(?P<plain>[A-Za-z0-9*][^\s"'{}\[\],#&!|>%@`?]*))"""
)
_VALUE = (
    r"""(?:"(?P<quoted>[^"\\]*)"|'(?P<apostrophes>[^']*)'|(?P<bare>[A-Za-z0-9/][^\s"'{}\[\],#]*))"""
)
_COMMENT = r"(?:\s+#.*)?\s*"
_OPENS = re.compile(rf"{_KEY}:(?:\s+\{{\}})?{_COMMENT}")
_SAYS = re.compile(rf"{_KEY}:\s+{_VALUE}{_COMMENT}")
_NOTHING = re.compile(r"\s*(#.*)?|---\s*")
_FORMS = {
    ("docker", 0): True, ("docker", 1): True, ("docker", 2): False,
    ("default-docker", 0): True, ("default-docker", 1): False,
}  # fmt: skip
"""Whether a line of a section and depth opens what is below it, or says something."""


class NotUnderstoodError(ValueError):
    """A line that has another form; its words say which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that a file says of a namespace."""

    namespace: str
    """Empty: `default-docker`, for whatever has no namespace of its own."""
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistriesFile:
    """What one file says."""

    namespaces: tuple[str, ...]
    said: tuple[Said, ...]

    def of(self, namespace: str) -> dict[str, str]:
        """Return what is said of a namespace."""
        return {it.key: it.value for it in self.said if it.namespace == namespace}


def read_registries(text: str) -> RegistriesFile:
    """Take a file apart; raises NotUnderstoodError with the first line of another form."""
    section, widths = "", [0]
    namespaces: list[str] = []
    said: list[Said] = []
    seen: set[tuple[str, ...]] = set()
    for line in text.splitlines():
        if _NOTHING.fullmatch(line):
            continue
        found = _OPENS.fullmatch(line) or _SAYS.fullmatch(line)
        if found is None:
            raise NotUnderstoodError(line.strip()[:100])
        depth, name, opens = _depth(widths, len(found["indent"])), _name(found), found.re is _OPENS
        if depth == 0:
            section = name
        if opens is not _FORMS.get((section, depth)):
            raise NotUnderstoodError(line.strip()[:100])
        if opens and depth:
            namespaces.append(name)
        place = (section, *namespaces[-1:]) if section == "docker" and depth == 2 else (section,)
        if (*place, name) in seen:
            raise NotUnderstoodError(f"{name} stands twice")
        seen.add((*place, name))
        if not opens:
            said.append(Said(namespace="".join(place[1:]), key=name, value=_value(found)))
    return RegistriesFile(namespaces=tuple(namespaces), said=tuple(said))


def _depth(widths: list[int], width: int) -> int:
    """Return how deep a line lies; `widths` are those of the lines around it, and of itself."""
    while widths[-1] > width:
        widths.pop()
    if widths[-1] < width:
        widths.append(width)
    return len(widths) - 1


def _name(found: re.Match[str]) -> str:
    return found["double"] or found["single"] or found["plain"]


def _value(found: re.Match[str]) -> str:
    return found["quoted"] or found["apostrophes"] or found["bare"] or ""
