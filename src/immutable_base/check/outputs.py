"""What programs of an image object to, line by line, so that two answers can be compared: pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

SUMMARY = re.compile(r"(Error: |error: )?Check discovered \d+ problem")
"""The end of what `dnf check` prints, in dnf 4 and 5: a number that says nothing new."""
LINT = re.compile(r"(?P<word>Failed lint|Lint warning): (?P<rest>(?P<name>[a-z0-9-]+): .*)")
"""How an objection of `bootc container lint` begins. Source: bootc's crates/lib/src/lints.rs."""
LINT_END = re.compile(r"(Checks passed|Checks skipped|Warnings|error): ")
FATAL = "Failed lint"


def dnf_problems(text: str) -> tuple[str, ...]:
    """Return the problems that `dnf check` found, one line each.

    dnf 4 has a line for each; dnf 5 has a line with a package, and its problems indented below.
    """
    return tuple(_dnf_problems([line for line in text.splitlines() if line.strip()]))


def _dnf_problems(lines: list[str]) -> Iterator[str]:
    package = ""
    for number, line in enumerate(lines):
        if line.startswith(" "):
            yield f"{package}: {line.strip()}"
        elif any(following.startswith(" ") for following in lines[number + 1 : number + 2]):
            package = line
        elif not SUMMARY.match(line):
            yield line


def lint_objections(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is fatal to bootc's lint, and its warnings: one line each, as `lint: words`."""
    found: dict[bool, list[str]] = {True: [], False: []}
    into, name = None, ""
    for line in text.splitlines():
        begin = LINT.match(line)
        if begin:
            into, name = found[begin["word"] == FATAL], begin["name"]
            into.append(begin["rest"].strip())
        elif LINT_END.match(line):
            into = None
        elif into is not None and line.strip():
            into.append(f"{name}: {line.strip()}")
    return tuple(found[True]), tuple(found[False])
