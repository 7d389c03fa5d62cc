"""The figures in docs/reference/benchmarks.md, as ratios measured in one run.

    make bench                      everything (more than an hour on two cores)
    bench/measure.py --no-night     start-up, questions, plan against dnf, the tiny stream (minutes)
    bench/measure.py --one-night    also one night of all variants, against the compiles in it

To be run in the lab's environment (`immutable-base lab env`) and with `tests` on PYTHONPATH, as
`make bench` does.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from admitting import admission_rows
from common import CONFIG, PRODUCT, ROOT, SETTINGS, TINY, WORK, Row, processor_seconds, timed
from hosts import NEXT, boot_rows, boot_share_row, host_rows, remove_leftovers
from images import question_row, stage_rows
from nights import NIGHT, bare_compiles, night, one_kernel, shared_night
from planning import plan_rows
from publishing import publish_rows
from signing import signing_row
from tiny import STAGED, tiny_rows, wheel_row
from verifying import verify_rows

RESULT = ROOT / "docs" / "reference" / "benchmarks.md"
ALL = tuple(SETTINGS["variants"])
NOTE = """
In the lab the two variants with modules land on a kernel each, so one night compiles the same three
modules as the variants by themselves; in the row on one kernel OpenZFS is compiled once. Each night
and its variants one after another gave the same image digests, modules included. Processor time is
user and system time of everything that the night started; a compile is `dkms build` alone. The
seconds of boots are added up, though they ran beside other work.
"""


def start_up() -> Row:
    """Measure `immutable-base --help`, the median of ten."""
    program = str(Path(PRODUCT[0]).with_name("immutable-base"))
    seconds = statistics.median(timed(program, "--help") for _ in range(10))
    return Row("start-up of `immutable-base --help`", seconds, None, "< 0.1 s", digits=3)


def tiny_stream() -> Iterator[Row]:
    """Measure what the tiny stream shows as well as a large one."""
    yield from tiny_rows()
    yield from host_rows(STAGED / "tonight")
    yield signing_row(STAGED, TINY, NEXT)
    yield from publish_rows(STAGED, TINY, ("tiny", "tiny-metronome"))
    yield from verify_rows()
    yield from admission_rows()


def large_rows(report: dict[str, Any]) -> list[Row]:
    """Measure what the night of all variants that has just ended has left."""
    return [
        *stage_rows(report),
        boot_share_row(report, "one night", aim="≤ 0.15"),
        *boot_rows(NIGHT / "tonight", "base-zfs-nvidia", aim="≤ 60 s"),
        signing_row(NIGHT, CONFIG, "base-zfs-nvidia"),
        *publish_rows(NIGHT, CONFIG, ALL),
    ]


def one_night() -> list[Row]:
    """Measure one night of all variants."""
    before = processor_seconds()
    _, report = night(CONFIG, ALL, workers=2)
    processor = processor_seconds() - before
    what = "one night: processor time against the compiles in it"
    return [*large_rows(report), Row(what, processor, bare_compiles(report), "≤ 1.25", digits=0)]


def all_nights() -> Iterator[Row]:
    """Measure nights of all variants and of those with modules, each against its variants alone."""
    what = "one night against the variants one after another"
    yield from shared_night(what, CONFIG, ALL, look=large_rows)
    what = "the same of the two variants with modules, when both are on one kernel"
    yield from shared_night(what, one_kernel(), ("base-zfs", "base-zfs-nvidia"))


def measured(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure what was asked for, one row after another."""
    yield from (start_up(), wheel_row(), question_row())
    yield from plan_rows()
    yield from tiny_stream()
    if arguments.one_night:
        yield from one_night()
    elif not arguments.no_night:
        yield from all_nights()


def main() -> int:
    """Measure, print each row when it is known, write the document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--no-night", action="store_true", help="measure no large night")
    parser.add_argument("--one-night", action="store_true", help="measure one large night only")
    arguments = parser.parse_args()
    # A measurement that was ended has left its own.
    remove_leftovers()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    rows = []
    for row in measured(arguments):
        print(row, flush=True)
        rows.append(row)
    system = f"{platform.system()} {platform.release()}"
    machine = f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}"
    command = " ".join(["bench/measure.py", *sys.argv[1:]]) if sys.argv[1:] else "make bench"
    lines = [
        "# Benchmarks\n",
        f"Ratios, measured in one run by `{command}`; below 1 means that the product is quicker.\n",
        f"Measured on {machine}.\n",
        "| what | product | compared with | ratio | aim |",
        "|---|--:|--:|--:|--:|",
        *map(str, rows),
        *([] if arguments.no_night or arguments.one_night else [NOTE.rstrip()]),
    ]
    RESULT.write_text("\n".join(lines) + "\n")
    shutil.rmtree(WORK)
    print(f"written: {RESULT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
