"""Lines of tmpfiles.d and sysusers.d as words. Source: tmpfiles.d(5), sysusers.d(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

WORD = re.compile(r'\s*(?:"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\'|(\S+))')
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))")
LINKS = 8
"""Links in a row that are followed."""
LETTERS = {"n": "\n", "r": "\r", "t": "\t"}


def fragments(root: Path, name: str) -> Iterator[tuple[str, Iterator[str]]]:
    """Yield the fragments of `/usr/lib/<name>` and `/etc/<name>` in the order in which they count.

    That is by name, wherever they lie; one in /etc replaces its namesake. Each is its path below
    the root and its lines, without comments.
    """
    found: dict[str, Path] = {}
    for folder in (f"usr/lib/{name}", f"etc/{name}"):
        found |= {path.name: path for path in (root / folder).glob("*.conf")}
    for _, path in sorted(found.items()):
        yield str(path.relative_to(root)), _lines(_inside(root, path))


def _inside(root: Path, path: Path) -> Path:
    """Follow links as the image's own programs would: an absolute one begins at its root."""
    for _ in range(LINKS):
        if not path.is_symlink():
            break
        target = path.readlink()
        path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
    return path


def _lines(path: Path) -> Iterator[str]:
    # One that is replaced by a link to /dev/null says nothing.
    if path.is_symlink() or not path.is_file():
        return
    for line in path.read_text("utf-8", "replace").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def split(line: str, count: int) -> tuple[list[str], str]:
    """Return up to `count` words of a line, unquoted and without escapes, and the rest as it is."""
    words: list[str] = []
    position = 0
    while len(words) < count and (match := WORD.match(line, position)):
        double, single, plain = match.groups()
        words.append(unescape(next(it for it in (double, single, plain) if it is not None)))
        position = match.end()
    return words, line[position:].strip()


def unescape(text: str) -> str:
    """Return a text with its C-style escapes carried out."""

    def replace(match: re.Match[str]) -> str:
        number, letter = match.groups()
        return chr(int(number, 16)) if number else LETTERS.get(letter, letter)

    return ESCAPE.sub(replace, text)
