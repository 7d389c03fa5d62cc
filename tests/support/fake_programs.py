"""Shell scripts in place of programs, so that a test decides what a program reports."""

from pathlib import Path


def write_program(path: Path, script: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def reporting(text: str) -> str:
    """Return a script that writes exactly this to standard output."""
    return f"cat <<'END'\n{text}\nEND"


def cosign(version: str) -> str:
    """Return a script that reports its version as cosign does."""
    return reporting(f'{{"gitVersion": "{version}", "gitCommit": "unknown"}}')


def syft(version: str) -> str:
    """Return a script that reports its version as syft does."""
    return reporting(f'{{"application": "syft", "version": "{version}"}}')
