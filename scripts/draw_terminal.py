"""Draw what a command printed as a picture of a terminal, for README.md: text, no image data.

    make try >try.log 2>&1
    .venv/bin/python scripts/draw_terminal.py 'make try' try.log docs/images/make-try.svg

Nothing is made up: every line of the picture is one of the file. It begins with the run's table,
and `...` stands for what came before. The folder of the lab's state is shown where it is by
default. The picture is as wide as that table: what is wider below it is cut.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from immutable_base.state import state_folder

BEGIN = "The run of "
"""Begins the title of the table."""
BORDER = ("┏", "┃", "┡", "│", "└")
"""Begin the lines of the table."""
MARGIN = 2
HEAD = 3
"""Lines that are shown of what came before."""
FONTS = re.compile(r"@font-face \{.*?\n    \}\n", re.DOTALL)
"""rich's picture would fetch fonts from elsewhere."""


def main() -> int:
    """Draw a file."""
    command, source, target = sys.argv[1:]
    text = Path(source).read_text().replace(str(state_folder().parent), "~/.local/state")
    picture = draw(command, [line.rstrip() for line in text.splitlines()])
    Path(target).parent.mkdir(exist_ok=True)
    Path(target).write_text(picture)
    return 0


def draw(command: str, lines: list[str]) -> str:
    """Return the SVG. Raises ValueError if no run has printed its table."""
    begin = next((n for n, line in enumerate(lines) if line.startswith(BEGIN)), None)
    if begin is None:
        raise ValueError(f"no line begins with `{BEGIN}`: did the run come to its end?")
    before = lines[max(0, begin - HEAD) : begin]
    table = [len(line) for line in lines[begin:] if line.startswith(BORDER)]
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=max(table) + MARGIN, file=nowhere, highlight=False)
        for line in (f"$ {command}", "...", *before, "", *lines[begin:]):
            console.print(Text(line), overflow="crop", no_wrap=True)
    svg = FONTS.sub("", console.export_svg(title=command, unique_id="terminal"))
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    sys.exit(main())
