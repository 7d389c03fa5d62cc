"""The product's functions that fetch and verify, behind calls that need only a configuration.

Tests of trust go through here, so that they say what is promised and not how it is called.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterable
from pathlib import Path

from immutable_base.build.packages import Store, fetch_packages
from immutable_base.config.schema import Settings
from immutable_base.context import Context
from immutable_base.download import open_downloader
from immutable_base.model.plan import KeyPlan, Package
from immutable_base.plan.zfs_meta import linux_maximum
from immutable_base.process import run
from immutable_base.repository import keys, metadata
from immutable_base.run.build_inputs import build_inputs_of
from support.plan_world import configuration
from support.rpm_files import checksum
from support.rpmmd import Signer, gpg


def document(url: str, signers: dict[str, Signer], **repositories: dict) -> dict:
    """Return a configuration whose keys lie at `url`/NAME.asc and whose repositories are these."""
    found = configuration()
    found["keys"] = {
        name: {"places": [f"{url}/{name}.asc"], "fingerprint": signer.fingerprint}
        for name, signer in signers.items()
    }
    first = next(iter(signers))
    found["repositories"] = {
        **{
            name: {"url": f"{url}/{name}/", "key": first}
            for name in configuration()["repositories"]
        },
        **{name: {"url": f"{url}/{name}/", **table} for name, table in repositories.items()},
    }
    return found


def context_of(folder: Path, settings: dict) -> Context:
    """Return the surroundings of a run with real programs."""
    return Context(
        settings=Settings.model_validate(settings),
        config_path=folder / "immutable-base.toml",
        layers_folder=folder,
        workspace=folder / "workspace",
        run=run,
    )


def open_client(folder: Path, settings: dict):
    return open_downloader(Settings.model_validate(settings).authority(folder))


def fetch_pinned(folder: Path, settings: dict, name: str) -> keys.PinnedKey:
    with context_of(folder, settings).open_plan_inputs() as inputs:
        return inputs.metadata.keys.fetch(name)


def verify_detached(
    folder: Path, settings: dict, key: keys.PinnedKey, *, data: bytes, signature: bytes
) -> None:
    keys.verify_detached(run, key, data=data, signature=signature)


def fetch_metadata(folder: Path, settings: dict, *names: str, release: str = "10") -> dict:
    """Return what became of each repository, by its id."""
    context = context_of(folder, settings)
    sources = [metadata.source_of(context.settings, name, release) for name in names]
    with context.open_plan_inputs() as inputs:
        found = inputs.metadata.fetch_all(sources)
    return {source.id: outcome for source, outcome in found.items()}


def source_url(folder: Path, settings: dict, name: str, release: str) -> str:
    return metadata.source_of(context_of(folder, settings).settings, name, release).url


def planned_keys(folder: Path, settings: dict) -> tuple[KeyPlan, ...]:
    """Return every key as a plan holds it."""
    found = {name: fetch_pinned(folder, settings, name) for name in settings["keys"]}
    return tuple(
        KeyPlan(
            name=name, fingerprint=key.fingerprint, armored=key.armored,
            file_sha256=settings["keys"][name].get("sha256"),
        )
        for name, key in found.items()
    )  # fmt: skip


def fetch_rpms(
    folder: Path, settings: dict, packages: Iterable[Package], keys: Iterable[KeyPlan] | None = None
) -> Store:
    """Fetch packages as a build does, with the keys of its plan: by default those of now."""
    planned = planned_keys(folder, settings) if keys is None else tuple(keys)
    inputs = build_inputs_of(context_of(folder, settings))
    return fetch_packages(inputs, tuple(packages), planned, lambda line: None)


def maximum_of(folder: Path, settings: dict, package: Package) -> str:
    """Return what a zfs-dkms package declares, read with rpm2cpio and cpio."""
    context = context_of(folder, settings)
    module = context.settings.modules["zfs"]
    with context.open_plan_inputs() as inputs:
        return linux_maximum(
            run, inputs.metadata.keys.downloader, inputs.cache / "module-meta", module, package
        )


def package_of(path: Path, url: str, repository: str, **changes: object) -> Package:
    """Return a file made by `build_rpm` as a plan lists it."""
    name, version, release = path.name.removesuffix(".noarch.rpm").rsplit("-", 2)
    values = {
        "name": name, "epoch": 0, "version": version, "release": release, "arch": "noarch",
        "repository": repository, "url": url, "checksum": checksum(path), "size": path.stat().st_size,
        "build_time": 1, **changes,
    }  # fmt: skip
    return Package.model_validate(values)


def exported(*signers: Signer) -> bytes:
    """Return a key file that holds the keys of several signers."""
    return b"".join(signer.public.read_bytes() for signer in signers)


def detached(signer: Signer, data: Path, key: str | None = None) -> bytes:
    """Return a detached signature, by a subkey if one is named."""
    target = data.with_name(data.name + ".signature")
    signer.gpg(
        "--yes", "--armor", "--local-user", f"{key or signer.fingerprint}!",
        "--output", str(target), "--detach-sign", str(data),
    )  # fmt: skip
    return target.read_bytes()


def add_subkey(signer: Signer) -> str:
    """Give a key a signing subkey, publish it, and return the subkey's fingerprint."""
    signer.gpg("--quick-add-key", signer.fingerprint, "ed25519", "sign", "never")
    colons = signer.gpg("--with-colons", "--list-keys").splitlines()
    publish(signer)
    return [line.split(":")[9] for line in colons if line.startswith("fpr:")][-1]


def revoke_subkey(signer: Signer) -> None:
    """Revoke a key's only subkey, and publish the key as it is then."""
    subprocess.run(
        ["gpg", "--no-tty", "--quiet", "--homedir", str(signer.home), "--pinentry-mode", "loopback",
         "--command-fd", "0", "--edit-key", signer.fingerprint],
        input="key 1\nrevkey\ny\n0\n\ny\nsave\n", check=True, capture_output=True, text=True,
    )  # fmt: skip
    publish(signer)


def publish(signer: Signer) -> None:
    signer.public.write_text(signer.gpg("--armor", "--export", signer.fingerprint))


def primaries_in(keys_file: Path, home: Path) -> set[str]:
    """Return the primary fingerprints of a key file, as gpg itself lists them."""
    home.mkdir(mode=0o700, exist_ok=True)
    lines = gpg(home, "--with-colons", "--show-keys", str(keys_file)).splitlines()
    return {
        after.split(":")[9] for line, after in itertools.pairwise(lines) if line.startswith("pub:")
    }
