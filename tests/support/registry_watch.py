"""A witness that looks at the registry all along: no tag may ever name what does not verify."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

from immutable_base.state import tools_folder

MANIFEST = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
ROOTS = {
    "SIGSTORE_ROOT_FILE": "fulcio_root",
    "SIGSTORE_REKOR_PUBLIC_KEY": "rekor_key",
    "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": "ct_log_key",
}
"""cosign's variables, and the keys of the configuration that name the files."""


class RegistryError(Exception):
    """The registry gave an answer that tells nothing about what is there."""


class Registry:
    """What anybody can read of the lab's registry, and what cosign says of it.

    `programs` is the PATH on which cosign is looked for.
    """

    def __init__(self, config: Path, *, programs: str | None = None):
        document = tomllib.loads(config.read_text())
        self.signing = document["signing"]
        settings = document["registry"]
        self.host, _, self.path = settings["destination"].partition("/")
        self.ca = settings["ca_bundle"]
        context = ssl.create_default_context(cafile=self.ca)
        self.client = httpx.Client(base_url=f"https://{self.host}/v2/", verify=context, timeout=10)
        self.programs = f"{programs or os.environ['PATH']}:{tools_folder() / 'bin'}"

    def _found(self, response: httpx.Response) -> bool:
        """Tell 200 from 404; anything else says nothing about what is there."""
        if response.status_code not in (200, 404):
            raise RegistryError(f"{response.request.method} {response.url}: {response.status_code}")
        return response.status_code == 200

    def tags(self, variant: str) -> dict[str, str]:
        """Return {tag: digest} of a variant, without the tags that hold signatures."""
        listing = self.client.get(f"{self.path}/{variant}/tags/list")
        names = (listing.json().get("tags") or []) if self._found(listing) else []
        digests = {
            name: self.digest(variant, name) for name in names if not name.startswith("sha256-")
        }
        return {name: digest for name, digest in digests.items() if digest is not None}

    def digest(self, variant: str, reference: str) -> str | None:
        """Return the digest that a tag or digest names, None if there is none."""
        response = self.client.head(
            f"{self.path}/{variant}/manifests/{reference}", headers={"Accept": MANIFEST}
        )
        return response.headers["docker-content-digest"] if self._found(response) else None

    def has_beside(self, variant: str, digest: str, kind: str) -> bool:
        """Tell whether a signature (`sig`) or an attestation (`att`) lies beside a digest."""
        return self.digest(variant, f"{digest.replace(':', '-')}.{kind}") is not None

    def is_signed(self, variant: str, digest: str) -> bool:
        """Tell whether cosign verifies signature and SBOM of a digest, by the configured identity."""
        return self.objection(variant, digest) is None

    def objection(self, variant: str, digest: str) -> str | None:
        """Return what is wrong with a digest's signature or attestation, None if they verify."""
        for kind in ("sig", "att"):
            if not self.has_beside(variant, digest, kind):
                return f"no .{kind}"
        pinned = f"{self.host}/{self.path}/{variant}@{digest}"
        for verb in (("verify",), ("verify-attestation", "--type=cyclonedx")):
            done = self.cosign(*verb, pinned)
            if done.returncode != 0:
                return f"cosign {verb[0]}: {done.stderr[-500:]}"
        return None

    def cosign(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of cosign, under the trust of the configuration."""
        trust = {name: self.signing[key] for name, key in ROOTS.items() if self.signing.get(key)}
        *verb, pinned = arguments
        argv = [
            shutil.which("cosign", path=self.programs) or "cosign", *verb, "--new-bundle-format=false",
            f"--certificate-identity={self.signing['certificate_identity']}",
            f"--certificate-oidc-issuer={self.signing['certificate_oidc_issuer']}",
            f"--rekor-url={self.signing['rekor_url']}", pinned,
        ]  # fmt: skip
        env: Mapping[str, str] = {
            "PATH": self.programs, "HOME": "/nonexistent", "SSL_CERT_FILE": self.ca, **trust,
        }  # fmt: skip
        return subprocess.run(argv, env=dict(env), capture_output=True, text=True, timeout=120)


class Witness:
    """Watches variants' tags until it is told to stop; remembers every violation.

    A look that did not succeed is a violation as well: it saw nothing, and nobody else looked.
    """

    def __init__(self, registry: Registry, variants: list[str], *, interval: float = 0.1):
        """Look every `interval` seconds."""
        self.registry, self.variants, self.interval = registry, variants, interval
        self.violations: list[str] = []
        self.looks = 0
        self._verified: set[tuple[str, str]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(300)
        if self._thread.is_alive():
            self.violations.append("the witness did not come to an end")

    def _watch(self) -> None:
        while not self._stop.wait(self.interval):
            self.look()

    def look(self) -> None:
        """Look once at every tag of every variant."""
        for variant in self.variants:
            try:
                self._look_at(variant)
            except (RegistryError, httpx.HTTPError, subprocess.SubprocessError, OSError) as error:
                self.violations.append(f"{variant}: could not be looked at: {error!r}")
        self.looks += 1

    def _look_at(self, variant: str) -> None:
        for tag, digest in self.registry.tags(variant).items():
            if (variant, digest) in self._verified:
                continue
            objection = self.registry.objection(variant, digest)
            if objection is None:
                self._verified.add((variant, digest))
            else:
                self.violations.append(f"{variant}:{tag} -> {digest}: {objection}")
