"""The rules about what replaces the image's files for root, or for a service. Pure.

Sources: containers-policy.json(5), containers-registries.d(5) and storage/pkg/configfile of
containers/container-libs (image/v5.40); bootc 1.16.9, crates/utils/src/lib.rs; systemd.exec(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Finding = tuple[str, str]
VARIABLES = (
    "BOOTC_EXP_EXTERNAL_CONTAINER_TOOL", "CONTAINERS_POLICY_JSON", "CONTAINERS_REGISTRIES_CONF",
    "REGISTRIES_CONFIG_PATH", "XDG_CONFIG_HOME",
)  # fmt: skip
"""Each leads to another policy, other places of signatures, or another program that fetches."""
_SET = re.compile(
    rf"""^(?!\s*[#;]).*?(?<![\w$:{{])(?P<name>{"|".join(VARIABLES)})(?:\s*=|\s+(?:DEFAULT|OVERRIDE)\s*=)""",
    re.MULTILINE,
)
_ROOTS = r"(?:var/roothome|root)/\.config/containers/"
_POLICY = re.compile(rf"{_ROOTS}policy\.json")
_REGISTRIES = re.compile(rf"{_ROOTS}registries\.(?:d/.*|conf|conf\.d/.*)")


def sets_variable(text: str) -> str | None:
    """Return the first of these variables that a file sets: a unit's, a shell's, or pam_env's."""
    found = _SET.search(text)
    return found["name"] if found else None


def lint_environment(files: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what lets a host look elsewhere than in the files that the other rules look at."""
    for name, text in sorted(files.items()):
        if _POLICY.fullmatch(name):
            yield "overridden", f"/{name} replaces the image's policy.json for root"
        elif _REGISTRIES.fullmatch(name):
            yield "registries-overridden", f"/{name} replaces the system's for root"
        elif (variable := sets_variable(text)) is not None:
            yield "overridden-by-environment", f"/{name} sets {variable}"
