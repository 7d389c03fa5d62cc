"""What every remote thing of a configuration answered, as a person reads it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from immutable_base.errors import RemoteError, printable
from immutable_base.model.online import OnlineReport, State

STYLES = {State.OK: "green", State.WARNING: "yellow", State.HELD: "yellow", State.FAULT: "red"}
UNPROVEN = (
    "Not tried, because nothing is pushed or signed here: whether the pipeline may push to the\n"
    "registry, and whether Fulcio accepts its token."
)
UNREACHABLE = (
    "Nothing answered at all: does this machine reach the network, or does it need a proxy?"
)
DERIVED = frozenset({"repository", "variant"})
"""Kinds of findings that follow from others, and are not asked where those did not answer."""


def online_text(report: OnlineReport, *, width: int, colour: bool) -> str:
    """Return the table of what every remote thing answered; `width` is in columns."""
    table = Table(title="What the first night would meet", title_justify="left", expand=False)
    table.add_column("")
    for name in ("what", "name", "answer"):
        table.add_column(name, overflow="fold", no_wrap=name == "what")
    for item in report.findings:
        mark = Text(item.state.value, style=STYLES[item.state])
        table.add_row(mark, *map(Text, map(printable, (item.kind, item.name, item.message))))
    sink = io.StringIO()
    console = Console(file=sink, width=width, highlight=False, force_terminal=colour)
    console.print(table)
    lines = [line.rstrip() for line in sink.getvalue().splitlines()]
    return "\n".join((*lines, "", *_summary(report), UNPROVEN, ""))


def _summary(report: OnlineReport) -> Iterator[str]:
    count = Counter(item.state for item in report.findings)
    yield ", ".join(f"{count[state]} {state.value}" for state in State)
    asked = [item for item in report.findings if item.kind not in DERIVED]
    if asked and all(item.exit_code == RemoteError.exit_code for item in asked):
        yield UNREACHABLE
    yield ""
