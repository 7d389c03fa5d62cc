"""What hosts are told, and what is wrong with it, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from immutable_base.config.schema import Settings
from immutable_base.config.signing_keys import SigningKeys
from immutable_base.policy.host_trust import HostTrust
from immutable_base.policy.lint import LintFinding
from immutable_base.policy.public_key import fingerprint
from immutable_base.policy.rotate import BEFORE, Rotation, next_step


def files_text(files: Mapping[str, str]) -> str:
    """Return the files one after the other, each below its path."""
    return "\n".join(f"==> /{path}\n{text}" for path, text in sorted(files.items()))


def lint_text(variant: str, findings: Iterable[LintFinding]) -> str:
    """Return a line for each finding, or one that there is none."""
    lines = [f"{variant}: {finding}" for finding in findings]
    return "".join(f"{line}\n" for line in lines or [f"{variant}: nothing to object to"])


def keys_state_text(keys: SigningKeys, trust: HostTrust) -> str:
    """Return which keys hosts accept, which of them signs, and the next step of a rotation."""
    lines = [f"signs     {keys.key}, which is the {keys.signing_with} key"]
    lines += [
        f"accepted  {path} (SHA-256 of the file in images: {fingerprint(key.pem)})"
        for path, key in zip(keys.key_paths, trust.keys, strict=True)
    ]
    step = next_step(keys)
    return "\n".join([*lines, f"next      {step}", f"before    {BEFORE[step]}"]) + "\n"


def rotation_text(rotation: Rotation) -> str:
    """Return what was written, and what to do now."""
    return (
        f"written: {rotation.step}; key_paths = {list(rotation.keys.key_paths)}, "
        f"signing_with = {rotation.keys.signing_with}\n"
        "next: publish images, and let every host take one, before the next step\n"
    )


def verify_commands(settings: Settings, reference: str) -> str:
    """Return how anybody verifies an image by hand with cosign, both signatures."""
    signing = settings.signing
    keyless = (
        "cosign verify \\\n"
        f"  --certificate-identity {signing.certificate_identity} \\\n"
        f"  --certificate-oidc-issuer {signing.certificate_oidc_issuer} \\\n"
        f"  {reference}\n"
    )
    if signing.keys is None:
        return keyless
    return f"{keyless}cosign verify --key {signing.keys.signing_path} {reference}\n"
