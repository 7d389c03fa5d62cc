"""What the layer `admission` brings to hosts: the program, and whom it believes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from immutable_base.admission.settings import SHIPPED_SETTINGS
from immutable_base.config.trust import SigningTable, TrustSettings
from immutable_base.errors import ConfigurationError
from immutable_base.public_trust import SHIPPED

LAYER = "admission"
"""Name of the layer that gets them."""
PYTHON = "usr/lib/immutable-base/python/immutable_base"
FOLDER, SETTINGS = str(SHIPPED_SETTINGS.parent)[1:], SHIPPED_SETTINGS.name
_PACKAGE = Path(__file__).parent.parent
_ROOMS = ("admission", "verification")
_FILES = ("__init__.py", "errors.py", "model/__init__.py", "model/reference.py")
_TRUST = {
    "fulcio_root": "fulcio_root.pem",
    "rekor_key": "rekor_key.pem",
    "ct_log_key": "ct_log_key.pem",
    "trusted_root": "trusted_root.json",
}
"""Keys of `[signing]` that name a file, and its name on hosts."""


def admission_files(settings: TrustSettings, folder: Path, epoch: int) -> dict[str, bytes]:
    """Return the files by their paths below an image's root; raises as `settings_files`."""
    return {**program_files(), **settings_files(settings, folder, epoch)}


def settings_files(settings: TrustSettings, folder: Path, epoch: int) -> dict[str, bytes]:
    """Return whom the program believes, by the paths of the files below an image's root.

    Relative paths of the configuration begin at `folder`. `epoch`: when the newest input of the
    image was made, in seconds since 1970; what was signed before is older than the image. Raises
    ConfigurationError if a file that the configuration names cannot be read.
    """
    trust = _trust(settings.signing, folder)
    authority = settings.authority(folder)
    if authority is not None:
        trust["ca_bundle"] = ("ca_bundle.pem", _read(authority))
    names = {key: name for key, (name, _) in trust.items()}
    return {
        **{f"{FOLDER}/{name}": content for name, content in trust.values()},
        f"{FOLDER}/{SETTINGS}": _write_settings(settings, names, epoch).encode(),
    }


def program_files() -> dict[str, bytes]:
    """Return the program, as it is installed here, by its paths below an image's root."""
    room = [path for name in _ROOMS for path in sorted((_PACKAGE / name).glob("*.py"))]
    paths = [*room, *(_PACKAGE / name for name in _FILES)]
    return {f"{PYTHON}/{path.relative_to(_PACKAGE)}": path.read_bytes() for path in paths}


def _trust(signing: SigningTable, folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return keys of the host's settings with the files that they name.

    Of the public instance what this version was made with, so that the same inputs give the same
    image; `trusted_root` pins another.
    """
    named = {key: getattr(signing, key) for key in _TRUST if getattr(signing, key)}
    if not named:
        return {"trusted_root": (_TRUST["trusted_root"], SHIPPED.read_bytes())}
    return {key: (_TRUST[key], _read(folder / name)) for key, name in named.items()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the configuration names {path}, which cannot be read: {error.strerror}"
        ) from error


def _write_settings(settings: TrustSettings, files: Mapping[str, str], epoch: int) -> str:
    signing = settings.signing
    wanted: dict[str, object] = {
        "schema_version": 1,
        "certificate_identity": signing.certificate_identity,
        "certificate_oidc_issuer": signing.certificate_oidc_issuer,
        "fulcio_url": signing.fulcio_url,
        "project_id": signing.project_id,
        "runner_environment": signing.runner_environment,
        "build_triggers": list(signing.build_triggers),
        "source_ref": signing.source_ref,
        "without_ct_log": signing.without_ct_log,
        "destination": settings.destination if settings.mirrors else "",
        "mirrors": list(settings.mirrors),
        "signed_after": epoch,
        **files,
    }
    # JSON and TOML write texts and lists alike, but for DEL, which no key of ours may hold.
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in wanted.items() if value
    ]
    return "\n".join(
        ["# Made by the image build from [signing] of immutable-base.toml.", *lines, ""]
    )
