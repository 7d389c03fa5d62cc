"""The files that tell a host whose images to take. Pure.

Sources: containers-policy.json(5), containers-registries.d(5), bootc-install-config(5).
"""

from __future__ import annotations

import json
from typing import Any

from immutable_base.errors import CheckError
from immutable_base.policy.host_trust import ADMISSION_KEY, HostTrust, Scope

POLICY = "etc/containers/policy.json"
"""Read by every release of containers/image; /usr/share only since image/v5.40."""
SHARED_POLICY = "usr/share/containers/policy.json"
INSTALL = "usr/lib/bootc/install/50-immutable-base.toml"
INSTALL_TEXT = """\
# Hosts that are installed from this image take updates only under a policy.json that refuses
# what it does not know. Since bootc 1.15.2; before, give `--enforce-container-sigpolicy`.
[install]
enforce-container-sigpolicy = true
"""
ANYTHING: dict[str, Any] = {"type": "insecureAcceptAnything"}
REJECT: dict[str, Any] = {"type": "reject"}
NEEDED_LOCAL = ("containers-storage", "dir", "docker-archive", "oci", "oci-archive")
"""Transports that read what root has put on the host itself: bootc installs from
containers-storage, which keeps no signatures; layouts and archives come by other ways."""
LOCAL = frozenset({*NEEDED_LOCAL, "docker-daemon", "ostree", "sif", "tarball"})
"""All transports that ask no registry."""
IDENTITY = {"type": "matchRepoDigestOrExact"}
"""A signature is for one tag of one repository. By digest the repository counts."""


def render_files(trust: HostTrust, base_policy: str | None) -> dict[str, str]:
    """Return every file by its path below the image's root; `base_policy` is what was there.

    Raises CheckError if that is no policy.
    """
    files = {
        POLICY: render_policy(trust, base_policy),
        trust.registries_file: render_registries(trust),
        **{key.path: key.pem for key in trust.keys},
    }
    return {**files, INSTALL: INSTALL_TEXT} if trust.whole else files


def render_policy(trust: HostTrust, base: str | None) -> str:
    """Return the policy.json: ours, and of the base's everything that does not accept all.

    Raises CheckError if the base's cannot be read.
    """
    default, transports = _read(base)
    if trust.whole:
        default = [REJECT]
        for name, scopes in transports.items():
            if name not in LOCAL and ANYTHING in scopes.get("", []):
                del scopes[""]
        for name in NEEDED_LOCAL:
            transports.setdefault(name, {"": [ANYTHING]})
    docker = transports.setdefault("docker", {})
    docker |= {scope: [ANYTHING] for scope in trust.unsigned}
    docker |= {scope.name: [demand(trust, scope)] for scope in trust.scopes}
    kept = {name: scopes for name, scopes in transports.items() if scopes}
    document = {"default": default, "transports": kept}
    return json.dumps(document, indent=4, sort_keys=True) + "\n"


def demand(trust: HostTrust, scope: Scope) -> dict[str, Any]:
    """Return what policy.json demands of images in one of our scopes."""
    paths = [f"/{key.path}" for key in trust.keys] or [ADMISSION_KEY]
    # keyPaths since image/v5.31; a single key is said as every release understands it.
    keys = {"keyPath": paths[0]} if len(paths) == 1 else {"keyPaths": paths}
    identity: dict[str, Any] = IDENTITY
    # A key signs before anybody copies; an admission names what the host pulls.
    if scope.mirrors and trust.attached:
        identity = {
            "type": "remapIdentity", "prefix": scope.name, "signedPrefix": scope.mirrors,
        }  # fmt: skip
    return {"type": "sigstoreSigned", **keys, "signedIdentity": identity}


def render_registries(trust: HostTrust) -> str:
    """Return the file of registries.d (YAML): where signatures of our images lie."""
    where = "beside the image" if trust.attached else "left by whoever admits the image"
    lines = "".join(f"    {key}: {value}\n" for key, value in trust.where.items())
    entries = "".join(f"  {json.dumps(it.name)}:\n{lines}" for it in trust.scopes)
    return f"# Signatures: {where}. Made by the image build.\ndocker:\n{entries}"


def _read(text: str | None) -> tuple[list[Any], dict[str, dict[str, list[Any]]]]:
    """Return default and transports of a policy; without one what every distribution ships."""
    if text is None:
        return [ANYTHING], {}
    try:
        document: dict[str, Any] = json.loads(text)
        transports = {
            str(name): {str(scope): list(demands) for scope, demands in scopes.items()}
            for name, scopes in (document.get("transports") or {}).items()
        }
        return list(document["default"]), transports
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise CheckError(
            f"the base image's /{POLICY} is no policy",
            details=f"{type(error).__name__}: {error}",
            hint="containers-policy.json(5) says what it must look like",
        ) from error
