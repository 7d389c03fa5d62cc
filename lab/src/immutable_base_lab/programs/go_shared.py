"""One version of each Go module that programs share: the same package is compiled once for all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain

# Newer ones reject what these accept, or the other way round (sigstore 1.10.9 compares the payload
# type of an envelope, say), and the tests ask this cosign for what users' cosign says.
_AS_RELEASED = "what cosign signs and accepts is what the release of this version does"
OWN_VERSIONS: Mapping[str, Mapping[str, str]] = {
    "cosign": dict.fromkeys(
        (
            "github.com/google/certificate-transparency-go",
            "github.com/google/go-containerregistry",
            "github.com/in-toto/in-toto-golang",
            "github.com/secure-systems-lab/go-securesystemslib",
            "github.com/sigstore/fulcio",
            "github.com/sigstore/protobuf-specs",
            "github.com/sigstore/rekor",
            "github.com/sigstore/sigstore",
            *(
                f"github.com/sigstore/sigstore/pkg/signature/kms/{it}"
                for it in ("aws", "azure", "gcp", "hashivault")
            ),
        ),
        _AS_RELEASED,
    ),
}
"""By program: modules of which it keeps the version that it asks for itself, and why."""

Requirements = Mapping[str, Mapping[str, str]]
"""By program: the versions of its modules."""

_REQUIREMENT = re.compile(r"^(?:require |\t)(\S+) (v\S+)", re.MULTILINE)
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-([^+]+))?(?:\+.*)?")


def read_requirements(text: str) -> dict[str, str]:
    """Return the modules that a go.mod requires, indirectly too, with their versions."""
    return dict(_REQUIREMENT.findall(text))


def shared_versions(requirements: Requirements) -> dict[str, str]:
    """Return the highest version of each module that two or more programs share."""
    versions: dict[str, list[str]] = {}
    for program, modules in requirements.items():
        for module, version in modules.items():
            if module not in OWN_VERSIONS.get(program, {}):
                versions.setdefault(module, []).append(version)
    return {it: max(found, key=precedence) for it, found in versions.items() if len(found) > 1}


def to_raise(requirements: Requirements) -> dict[str, dict[str, str]]:
    """Return by program the modules that it has in an older version than another one."""
    shared = shared_versions(requirements)
    return {
        program: raised
        for program, modules in requirements.items()
        if (
            raised := {
                module: shared[module]
                for module, version in modules.items()
                if module not in OWN_VERSIONS.get(program, {})
                and version != shared.get(module, version)
            }
        )
    }


def precedence(version: str) -> tuple[object, ...]:
    """Return a key by which versions sort as Go sorts them (semver.org, section 11)."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError(f"{version} is no version of a Go module")
    *numbers, early = found.groups()
    words = (early or "").split(".")
    # Numbers come before words, fewer before more, and a release after all that precedes it.
    parts = chain.from_iterable((not it.isdigit(), int(it) if it.isdigit() else it) for it in words)
    return (*map(int, numbers), early is None, *parts)
