"""A Python module that is not installed: no bug, but something to install."""

from __future__ import annotations

import contextlib
import re
import sys

from immutable_base.errors import HostError

PRODUCT = "immutable-base"
DISTRIBUTIONS_OF_OURS = (PRODUCT, "immutable-base-lab")
"""Those whose requirements are ours to name."""
OURS = frozenset({"immutable_base", "immutable_base_lab"})
DISTRIBUTIONS = {
    "cyclonedx": "cyclonedx-python-lib", "debian": "python-debian", "jwt": "pyjwt",
    "ruamel": "ruamel.yaml",
}  # fmt: skip
"""Distributions whose module has another name."""


def missing_module(error: BaseException) -> HostError | None:
    """Return a failed import of a module that is not ours as an error of this host, else None.

    Only what our own metadata requires is named as something to install: a name that was guessed
    may be anybody's.
    """
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    name = error.name.partition(".")[0]
    if name in OURS:
        return None
    if name in sys.stdlib_module_names:
        hint = "this Python was built without it: install a complete one, `apt-get install python3`"
    else:
        wanted = _requirement(DISTRIBUTIONS.get(name, name))
        pip = f"{sys.executable} -m pip"
        hint = (
            f"`{pip} install '{wanted}'`"
            if wanted
            else f"`{pip} install --upgrade {PRODUCT}`; `{pip} check` names what else is missing"
        )
    return HostError(f"the Python module '{error.name}' is not installed", hint=hint)


def _requirement(distribution: str) -> str | None:
    """Return what our metadata requires of a distribution, such as `httpx>=0.28`."""
    from importlib import metadata  # noqa: PLC0415  slow, and for this mistake only

    required: list[str] = []
    for ours in DISTRIBUTIONS_OF_OURS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            required += metadata.requires(ours) or []
    for line in required:
        specification = line.partition(";")[0].strip()
        found = re.match(r"[\w.-]+", specification)
        if found and found[0].replace("_", "-").lower() == distribution.replace("_", "-").lower():
            return specification
    return None
