"""`plan` against dnf: on the lab's repositories, and beside 70,000 packages more."""

from __future__ import annotations

import contextlib
import functools
import http.server
import shutil
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

from anchors import dnf4, dnf5, ensure_dnf5
from common import CONFIG, REPEAT, ROOT, SETTINGS, WORK, Row, product

from support.many_packages import write_many

MANY = 70_000
"""Packages; Fedora's repositories have so many."""


def plan_rows() -> list[Row]:
    """Measure `plan`, cold and warm, for the streams that each dnf can answer for."""
    ensure_dnf5()
    el = next(iter(SETTINGS["streams"]))
    rows = _rows(CONFIG, [el], dnf5, "against dnf5", "≤ 1.0")
    with many_packages(el) as config:
        what = f"beside {MANY:,} more packages, against dnf5"
        rows += _rows(config, [el], dnf5, what, "≤ 1.0")
    # Not the stream that is only ready to be used: the lab has no base of it.
    used = list(dict.fromkeys(variant["stream"] for variant in SETTINGS["variants"].values()))
    return rows + _rows(CONFIG, used, dnf4, "against the base's dnf 4", "≤ 0.5")


def _rows(
    config: Path, streams: list[str], anchor: Callable[..., float], what: str, aim: str
) -> list[Row]:
    settings = tomllib.loads(config.read_text())
    variants = [name for name, v in settings["variants"].items() if v["stream"] in streams]
    rows = []
    for cold in (True, False):
        rounds = range(1 if cold else REPEAT)
        ours = min(_plan(config, variants, cold=cold) for _ in rounds)
        theirs = min(sum(anchor(settings, it, cold=cold) for it in streams) for _ in rounds)
        state = "cold" if cold else "warm"
        rows.append(Row(f"`plan` of {len(variants)} variants, {state}, {what}", ours, theirs, aim))
    return rows


def _plan(config: Path, variants: list[str], *, cold: bool) -> float:
    """Return the seconds of one plan; the base images are local, as they are for dnf."""
    workspace = WORK / "plan"
    options = ["--format", "json", "--output", str(WORK / "plan.json")]
    for name in variants:
        options += ["--variant", name]
    product("plan", *options, workspace=workspace, config=config)
    if cold:
        shutil.rmtree(workspace / "cache" / "metadata", ignore_errors=True)
        shutil.rmtree(workspace / "cache" / "module-meta", ignore_errors=True)
    return product("plan", *options, workspace=workspace, config=config)


@contextlib.contextmanager
def many_packages(stream: str) -> Iterator[Path]:
    """Serve a large repository on loopback; yield a configuration in which the stream uses it."""
    folder = WORK / "many"
    write_many(folder / "www", MANY)
    handler = functools.partial(_Quiet, directory=str(folder / "www"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = SETTINGS["streams"][stream]["repositories"]
    quoted = ", ".join(f'"{name}"' for name in own)
    key = SETTINGS["repositories"][own[0]]["key"]
    text = CONFIG.read_text()
    changed = text.replace(f"repositories = [{quoted}]", f'repositories = [{quoted}, "many"]', 1)
    if changed == text:
        raise SystemExit(f"the configuration has no `repositories = [{quoted}]`")
    url = f"http://127.0.0.1:{server.server_port}/"
    changed += f'\n[repositories.many]\nurl = "{url}"\nkey = "{key}"\n'
    path = folder / "immutable-base.toml"
    path.write_text(changed)
    (folder / "layers").symlink_to(ROOT / "layers")
    try:
        yield path
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass
