"""What every remote thing of a configuration answered, as a person reads it."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

from immutable_base.errors import printable
from immutable_base.model.online import OnlineReport, State

STYLES = {State.OK: "green", State.WARNING: "yellow", State.HELD: "yellow", State.FAULT: "red"}
UNPROVEN = (
    "Not tried, because nothing is pushed or signed here: whether the pipeline may push to the\n"
    "registry, and whether Fulcio accepts its token."
)


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
    return "\n".join((*lines, "", UNPROVEN, ""))
