"""syft: what the rpm database of a root folder holds, as CycloneDX."""

from __future__ import annotations

from pathlib import Path

from immutable_base.process import Command, Runner
from immutable_base.tools.limits import NO_NETWORK
from immutable_base.tools.pins import VERSION_TIMEOUT, Version, json_version

TIMEOUT = 900.0
"""Seconds; most of it is walking the tree on a slow disk."""
ENVIRONMENT = {"SYFT_CHECK_FOR_APP_UPDATE": "false", "SYFT_FILE_METADATA_SELECTION": "none"}
"""Without them syft asks for its newest version and lists every file of the root."""


def version(run: Runner, program: str = "syft") -> Version:
    """Return the version of syft; raises CommandError if it cannot be read."""
    argv = (program, "version", "--output=json")
    text = run(Command(argv=argv, timeout=VERSION_TIMEOUT, env=ENVIRONMENT)).text
    return json_version(program, text, "version")


def scan_rpms(run: Runner, root: Path, target: Path) -> None:
    """Write the RPM packages installed below `root` to `target`, as CycloneDX 1.6 JSON.

    Raises CommandError if syft fails.
    """
    _scan(run, root, target, "rpm-db-cataloger")


def scan_system(run: Runner, root: Path, target: Path) -> None:
    """Write the Debian and Python packages installed below `root`, as `scan_rpms` does."""
    _scan(run, root, target, "dpkg-db-cataloger,python-installed-package-cataloger")


def _scan(run: Runner, root: Path, target: Path, catalogers: str) -> None:
    argv = (
        *NO_NETWORK, "syft", "scan", f"dir:{root}", f"--base-path={root}", "--quiet",
        f"--override-default-catalogers={catalogers}",
        f"--output=cyclonedx-json@1.6={target}",
    )  # fmt: skip
    run(Command(argv=argv, timeout=TIMEOUT, env=ENVIRONMENT))
