"""Keys as a person reads them: all of a configuration, or everything that is known of one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from immutable_base.config.key import Key
from immutable_base.config.schema import Settings
from immutable_base.errors import printable
from immutable_base.keys.answers import PlaceAnswer
from immutable_base.keys.check import KeyReport
from immutable_base.tools.gpg import ListedKey

COMPARE = """\
What was compared above comes from the servers that would be trusted. Before you pin the key,
compare its fingerprint with what somebody else says: docs/how-to/pin-a-key.md"""


def keys_text(settings: Settings) -> str:
    """Return each key with its pin, its places and the repositories that it signs."""
    return "\n".join("\n".join(_listed(settings, name)) + "\n" for name in settings.keys)


def key_text(report: KeyReport) -> str:
    """Return what every place has, and what speaks for and against the key."""
    lines = [f"{report.name}: {_pin(report.key)}", "", "places"]
    lines += [f"  {line}" for answer in report.places for line in _place(answer)]
    lines += ["", "does it fit?"]
    lines += [
        f"  {'ok' if item.ok else 'NO':3} {item.name:9} {item.message}" for item in report.findings
    ]
    if report.found is not None and not report.key.is_pinned:
        lines += ["", COMPARE, f"Then: immutable-base keys check {report.name} --pin"]
    # Names of owners and packages are foreign.
    return printable("\n".join(lines) + "\n")


def _listed(settings: Settings, name: str) -> Iterator[str]:
    key = settings.keys[name]
    yield f"{name}: {_pin(key)}"
    yield from (f"  {place}" for place in key.places)
    for repository, table in settings.repositories.items():
        signs = [
            what
            for what, used in (("packages", table.key), ("metadata", table.metadata_key))
            if used == name
        ]
        if signs:
            yield f"  signs {' and '.join(signs)} of {repository}"


def _pin(key: Key) -> str:
    pins = [key.fingerprint or "", f"file {key.sha256}" if key.sha256 else ""]
    return ", ".join(filter(None, pins)) or "not pinned"


def _place(answer: PlaceAnswer) -> Iterator[str]:
    if answer.error is not None:
        yield f"{answer.place}: {answer.error}"
        return
    yield answer.place
    yield f"  sha256 {answer.sha256}"
    yield f"  sha256 {answer.sha256_without_version} without Version lines"
    for key in answer.file.keys:
        yield f"  {key.fingerprint} {_times(key)}"
        yield from (f"    {name}" for name in key.user_ids)
    unread = answer.file.certificates - len(answer.file.keys)
    if unread:
        count = f"{unread} more" if answer.file.keys else _count(unread)
        yield f"  {count} that gpg cannot read: of version 6 (post-quantum)?"
    if not answer.file.certificates:
        yield "  not an OpenPGP key"


def _count(keys: int) -> str:
    return f"{keys} key{'' if keys == 1 else 's'}"


def _times(key: ListedKey) -> str:
    made = f"{_day(key.created)}"
    return f"made {made}, " + (
        "never expires" if key.expires is None else f"expires {_day(key.expires)}"
    )


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
