"""The rules about a host's own admission program: there, started, and believing whom it should.

Without it, a policy.json that demands its key refuses every upgrade for ever. Pure. Sources: the
layer `admission`, and systemd.unit(5) for what replaces a unit.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from immutable_base.admission import settings
from immutable_base.config.trust import SigningTable
from immutable_base.model.facts import HostPolicyFacts
from immutable_base.policy.host_trust import ADMISSION_KEY, HostTrust

Finding = tuple[str, str]
SETTINGS = str(settings.SHIPPED_SETTINGS)[1:]
OWN_SETTINGS = str(settings.OWN_SETTINGS)[1:]
"""Counts instead of the image's, as a whole, and follows no image again."""
UNIT = "immutable-base-admission.service"
UNIT_FILE = f"usr/lib/systemd/system/{UNIT}"
BEFORE_UPGRADES = (
    "systemd/system/bootc-fetch-apply-updates.service.d/10-immutable-base-admission.conf"
)
STRONGER = re.compile(
    rf"(etc|usr/local/lib)/systemd/system/{UNIT}"
    rf"|(etc|usr/local/lib|usr/lib)/systemd/system/{UNIT}\.d/[^/]+\.conf"
)
"""What counts instead of the unit in /usr/lib, or beside it; a link to /dev/null masks it."""
COMMAND = re.compile(r"^\s*(Exec\w+|Condition\w+|Assert\w+)\s*=", re.MULTILINE)
SAME = (
    "certificate_identity", "certificate_oidc_issuer", "fulcio_url", "project_id",
    "runner_environment", "source_ref",
)  # fmt: skip
"""Texts of `[signing]` that are in the program's settings if they are not empty."""


def lint_admission(facts: HostPolicyFacts, trust: HostTrust) -> Iterator[Finding]:
    """Yield what keeps hosts from admitting, or lets them admit by other settings."""
    files = facts.files
    if trust.keys and SETTINGS not in files:
        return
    if facts.admission is None or facts.admission.status != 0:
        said = "is not there" if facts.admission is None else f"fails: {facts.admission.text[:300]}"
        yield "admission-missing", f"{_demanded(trust)}the program that admits {said}"
    if SETTINGS not in files:
        yield "admission-missing", f"{_demanded(trust)}/{SETTINGS} is not there"
    if OWN_SETTINGS in files:
        yield "admission-overridden", f"/{OWN_SETTINGS} replaces all of /{SETTINGS}, trust included"
    yield from _units(files)


def _demanded(trust: HostTrust) -> str:
    return "" if trust.keys else f"policy.json demands {ADMISSION_KEY}, but "


def _units(files: Mapping[str, str]) -> Iterator[Finding]:
    for path in (UNIT_FILE, f"usr/lib/{BEFORE_UPGRADES}"):
        if not files.get(path):
            yield "admission-not-started", f"/{path} is not there: nothing admits before an upgrade"
    for path in (f"etc/{BEFORE_UPGRADES}", f"usr/local/lib/{BEFORE_UPGRADES}"):
        if path in files:
            yield "admission-not-started", f"/{path} replaces the image's"
    for path, text in sorted(files.items()):
        if not STRONGER.fullmatch(path):
            continue
        if path.endswith(".service"):
            what = "replaces the image's" if text else "masks the unit"
            yield "admission-not-started", f"/{path} {what}"
        elif COMMAND.search(text):
            yield "admission-not-started", f"/{path} changes what is started, or when"


def lint_signer(files: Mapping[str, str], signing: SigningTable) -> Iterator[Finding]:
    """Yield where the program of an image believes somebody else than the configuration says."""
    if SETTINGS not in files:
        return
    try:
        found: dict[str, Any] = tomllib.loads(files[SETTINGS])
    except tomllib.TOMLDecodeError as error:
        yield "admission-settings", f"/{SETTINGS} is not TOML: {error}"
        return
    wanted = {name: getattr(signing, name) for name in SAME}
    for name, value in {**wanted, "build_triggers": list(signing.build_triggers)}.items():
        if found.get(name, type(value)()) != value:
            yield "admission-settings", f"/{SETTINGS}: {name} is not what [signing] says"
