"""A Containerfile: which image it builds on, and its text with that image pinned. Pure.

Only as much of the language is read as names images: FROM, ARG before the first FROM, `--from=` of
COPY and `from=` of a mount. What is not understood is refused: to guess would be to build on
another image than the one that was verified. Source: containerfile(5), Docker's "Dockerfile
reference".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from immutable_base.errors import ConfigurationError

VARIABLE = re.compile(
    r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?P<default>:-[^}]*)?\})"
)
DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*$")
HEREDOC = re.compile(r"(?:^|(?<=\s))[0-9]*<<(-?)([\"']?)([A-Za-z_]\w*)\2")
"""A word of its own; `<<<` is none. Source: moby/buildkit, frontend/dockerfile/parser, which
buildah follows."""
NUMBER = re.compile("[0-9]{1,4}")
WITH_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})
ARGUMENT = re.compile(r"([A-Za-z_]\w*)=(\"[^\"]*\"|'[^']*'|\S*)")
FROM_FLAG = re.compile(r"--from=(\S+)")
MOUNT_FROM = re.compile(r"--mount=\S*?\bfrom=([^,\s]+)")
SCRATCH = "scratch"
FILE = "Containerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instruction:
    word: str
    """In capitals."""
    rest: str
    first: int
    """Number of its first line, from 1."""
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStage:
    """One FROM and what it names."""

    first: int
    last: int
    """Numbers of its first and last line."""
    flags: tuple[str, ...]
    image: str
    """The image or earlier stage, with arguments filled in; as it is written if one is unknown."""
    is_open: bool
    """Whether it has an argument without a value."""
    alias: str | None
    """As it is written: to buildah other letters are another name, and an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Containerfile:
    """A Containerfile that can be built."""

    text: str
    stages: tuple[BuildStage, ...]
    others: tuple[tuple[int, str], ...]
    """Images that COPY and mounts name, with the number of the line; no stages."""

    @property
    def root(self) -> BuildStage:
        """The stage whose FROM names the image that the last one is built on.

        Raises ConfigurationError if it builds on nothing.
        """
        known = {stage.alias: stage for stage in self.stages if stage.alias}
        stage = self.stages[-1]
        while (below := known.get(stage.image)) is not None and below.first < stage.first:
            stage = below
        if stage.image.lower() == SCRATCH:
            raise _refused(stage.first, "FROM scratch: an instance is built on a base image")
        return stage

    def foreign(self, base: str) -> tuple[str, ...]:
        """Return the images beside `base`, each by digest, as they are to be had.

        Raises ConfigurationError for one without a digest.
        """
        aliases = {stage.alias for stage in self.stages}
        named = [
            *(
                (stage.first, stage.image)
                for stage in self.stages
                if stage != self.root and stage.image not in {*aliases, SCRATCH}
            ),
            *self.others,
        ]
        for line, image in named:
            if image != base and "@sha256:" not in image:
                raise _refused(
                    line,
                    f"the image {image} has no digest, so the next build may get another one",
                    "write registry/path:tag@sha256:...; Renovate keeps it up to date",
                )
        return tuple(dict.fromkeys(image for _, image in named if image != base))


def parse_containerfile(text: str) -> Containerfile:
    """Read a Containerfile.

    Raises ConfigurationError, with the number of the line, if it has no FROM, or one that cannot be
    understood.
    """
    arguments: dict[str, str] = {}
    stages: list[BuildStage] = []
    others: list[tuple[int, str]] = []
    for item in _instructions(text):
        if item.word == "FROM":
            stages.append(_stage(item, arguments))
        elif item.word == "ARG" and not stages:
            arguments |= _arguments(item, arguments)
        elif item.word in WITH_HEREDOCS:
            others += _foreign(item, [stage.alias for stage in stages], len(stages))
    if not stages:
        raise ConfigurationError(
            f"the {FILE} has no FROM", hint="it names the base image: FROM registry/path:tag"
        )
    return Containerfile(text=text, stages=tuple(stages), others=tuple(others))


def _refused(line: int, message: str, hint: str | None = None) -> ConfigurationError:
    return ConfigurationError(f"{FILE}, line {line}: {message}", hint=hint)


def _instructions(text: str) -> Iterator[_Instruction]:
    lines = text.replace("\r\n", "\n").split("\n")
    escape, number = _escape(lines), 0
    while number < len(lines):
        first, parts = number, list[str]()
        while number < len(lines):
            line = lines[number]
            number += 1
            if line.lstrip().startswith("#") or (parts and not line.strip()):
                if not parts:
                    break
                continue  # also between continued lines
            stripped = line.rstrip()
            parts.append(stripped.removesuffix(escape) if stripped.endswith(escape) else line)
            if not stripped.endswith(escape):
                break
        word, _, rest = " ".join(parts).strip().partition(" ")
        if not word:
            continue
        word = word.upper()
        if word in WITH_HEREDOCS:
            number = _after_heredocs(lines, number, rest)
        yield _Instruction(word=word, rest=rest.strip(), first=first + 1, last=number)


def _escape(lines: list[str]) -> str:
    for line in lines:
        directive = DIRECTIVE.match(line.strip())
        if directive is None:
            break
        if directive[1].lower() == "escape":
            return directive[2]
    return "\\"


def _after_heredocs(lines: list[str], number: int, rest: str) -> int:
    for found in HEREDOC.finditer(rest):
        begin = number
        dash, _, name = found.groups()
        while number < len(lines) and _chomped(lines[number], dash) != name:
            number += 1
        if number == len(lines):
            raise _refused(begin, f"the here-document {name} does not end")
        number += 1
    return number


def _chomped(line: str, dash: str) -> str:
    return line.lstrip("\t") if dash else line


def _arguments(item: _Instruction, known: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in ARGUMENT.findall(item.rest):
        text, is_open = _expand(value.strip("\"'"), {**known, **found})
        if not is_open:
            found[name] = text
    return found


def _expand(text: str, known: Mapping[str, str]) -> tuple[str, bool]:
    """Return the text with arguments filled in, and whether one of them has no value."""
    unknown = False

    def value(match: re.Match[str]) -> str:
        nonlocal unknown
        name, default = match["plain"] or match["name"], match["default"]
        found = known.get(name) or (default or "").removeprefix(":-")
        unknown |= not found
        return found

    filled = VARIABLE.sub(value, text)
    return (text, True) if unknown or "$" in filled else (filled, False)


def _stage(item: _Instruction, arguments: Mapping[str, str]) -> BuildStage:
    words = item.rest.split()
    flags = [word for word in words if word.startswith("--")]
    match [word for word in words if not word.startswith("--")]:
        case [image]:
            alias = None
        case [image, keyword, name] if keyword.upper() == "AS":
            alias = name
        case _:
            raise _refused(item.first, f"`FROM {item.rest}` is not understood")
    text, is_open = _expand(image.strip("\"'"), arguments)
    return BuildStage(
        first=item.first, last=item.last, flags=tuple(flags), image=text, is_open=is_open,
        alias=alias,
    )  # fmt: skip


def _foreign(item: _Instruction, aliases: list[str | None], count: int) -> list[tuple[int, str]]:
    """Return the images that an instruction takes files from; stages are none."""
    found = [*FROM_FLAG.findall(item.rest)] if item.word == "COPY" else []
    found += MOUNT_FROM.findall(item.rest)
    images = [name.strip("\"'") for name in found]
    images = [
        name
        for name in images
        if name not in aliases and not (NUMBER.fullmatch(name) and int(name) < count)
    ]
    for name in images:
        if "$" in name:
            raise _refused(item.first, f"the image {name} has an argument, and is not known")
    return [(item.first, name) for name in images]
