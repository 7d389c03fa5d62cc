"""A static file server on loopback: what a mirror of package repositories is.

Run as `python -m immutable_base_lab.services.file_server --port PORT --root FOLDER`.
"""

from __future__ import annotations

import argparse
import functools
import http.server
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.services.service import (
    Launch,
    Service,
    Surroundings,
    http_probe,
    module_argv,
)

NAME = "files"


def _prepare(at: Surroundings) -> Launch:
    options = (f"--port={at.ports[NAME]}", f"--root={at.paths.rpms}")
    return Launch(
        argv=module_argv("immutable_base_lab.services.file_server", *options),
        probe=http_probe(f"{at.url(NAME)}/"),
    )


SERVICE = Service(name=NAME, ports=(NAME,), prepare=_prepare)


class _FileHandler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open: dnf asks for hundreds of files
    timeout: ClassVar[float | None] = 60


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root", type=Path, required=True)
    options = parser.parse_args(arguments)
    handler = functools.partial(_FileHandler, directory=str(options.root))
    with _Server((LOOPBACK, options.port), handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
