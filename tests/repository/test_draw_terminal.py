"""The picture in the README: every line of it was printed, and the table is whole."""

import html
import re
import subprocess
import sys

from support.paths import ROOT

TABLE = ("┏━━━━━┳━━━━━━━━┓", "┃ variant ┃ booted ┃", "│ tiny    │   85 s │", "└─────────┴────────┘")


def drawn(folder, *lines):
    source, target = folder / "try.log", folder / "pictures/try.svg"
    source.write_text("\n".join(lines))
    argv = [sys.executable, ROOT / "scripts/draw_terminal.py", "make try", source, target]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done, target


def shown(picture):
    """Return the lines of a picture."""
    rows = {}
    for place, text in re.findall(
        r'<text class="terminal-r\d+" x="0" y="([\d.]+)".*?>(.*?)</text>', picture
    ):
        rows[float(place)] = html.unescape(text).replace("\xa0", " ").rstrip()
    return [rows[place] for place in sorted(rows)]


def test_it_shows_the_table_whole_whatever_its_width_and_what_came_right_before(tmp_path):
    wide = [line[0] + line[1:-1] + line[-2] * 200 + line[-1] for line in TABLE]
    done, target = drawn(tmp_path, "1", "2", "3", "4", "The run of today", *wide, "verified")
    assert done.returncode == 0, done.stderr
    lines = shown(target.read_text())
    assert lines[:5] == ["$ make try", "...", "2", "3", "4"]
    assert [line for line in lines if line[:1] in "┏┃│└" and line] == wide
    assert lines[-1] == "verified"


def test_a_run_that_did_not_come_to_its_end_is_no_picture(tmp_path):
    done, target = drawn(tmp_path, "started", "failed")
    assert "did the run come to its end?" in done.stderr
    assert not target.exists()


def test_the_readmes_picture_has_every_column_of_the_table():
    from immutable_base.report.run import HEADINGS

    picture = shown((ROOT / "docs/images/make-try.svg").read_text())
    (head,) = (line for line in picture if line.startswith("┃"))
    assert tuple(cell.strip() for cell in head.strip("┃").split("┃")) == HEADINGS
