"""What an admission takes on a host: the program as images have it, and nothing else of the product."""

from __future__ import annotations

import statistics
import sys

from common import SETTINGS, TINY, WORK, Row, memory_of, timed

from immutable_base.build.admission_files import FOLDER, PYTHON, admission_files
from immutable_base.build.admission_files import SETTINGS as FILE
from immutable_base.config.trust import load_trust

VARIANT = "tiny"
REPEATS = 5
# As layers/admission/files/usr/bin/immutable-base-admission starts it.
START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from immutable_base.admission.command import main
raise SystemExit(main())
"""


def admission_rows() -> list[Row]:
    """Measure the admission of an image of the tiny stream, which `tiny_rows` has published."""
    root = WORK / "admitting"
    for name, content in admission_files(load_trust(TINY), TINY.parent, 0).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    settings = root / FOLDER / FILE
    with settings.open("a") as file:
        file.write(f'state = "{root}/state"\n')
    reference = f"{SETTINGS['registry']['destination']}/{VARIANT}:latest"
    program = (sys.executable, "-I", "-B", "-c", START, str((root / PYTHON).parent))
    argv = (*program, "--settings", str(settings), "admit", reference)
    seconds = statistics.median(timed(*argv) for _ in range(REPEATS))
    return [
        Row("an admission on a host, the lab's registry included", seconds, None, "≤ 1 s"),
        Row("memory of an admission", memory_of(argv), None, "≤ 60 MiB", digits=0, unit="MiB"),
    ]
