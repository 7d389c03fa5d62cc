"""`immutable-base tools`: the programs that no distribution packages."""

from __future__ import annotations

import argparse
import sys

from immutable_base.install_tools import Installer
from immutable_base.process import heed_interrupts
from immutable_base.process import run as run_program
from immutable_base.state import tools_folder
from immutable_base.tools.pins import load_pins


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "program",
        nargs="*",
        metavar="NAME",
        help=f"what to install: {', '.join(load_pins())} (default: all)",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show each program started")


def run(namespace: argparse.Namespace) -> int:
    """Install what is missing and print the folder that has it."""
    heed_interrupts()
    installer = Installer(
        folder=tools_folder(), run=run_program, report=lambda line: print(line, file=sys.stderr)
    )
    installer.install(namespace.program)
    print(installer.bin)
    return 0
