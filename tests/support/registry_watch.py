"""A witness that looks at the registry all along: no tag may ever point to an unsigned digest."""

from __future__ import annotations

import ssl
import threading
import tomllib
from pathlib import Path
from typing import Self

import httpx

MANIFEST = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """What anybody can read of the lab's registry."""

    def __init__(self, config: Path):
        settings = tomllib.loads(config.read_text())["registry"]
        self.host, _, self.path = settings["destination"].partition("/")
        context = ssl.create_default_context(cafile=settings["ca_bundle"])
        self.client = httpx.Client(base_url=f"https://{self.host}/v2/", verify=context, timeout=10)

    def tags(self, variant: str) -> dict[str, str]:
        """Return {tag: digest} of a variant, without the tags that hold signatures."""
        listing = self.client.get(f"{self.path}/{variant}/tags/list")
        names = (listing.json().get("tags") or []) if listing.status_code == 200 else []
        return {
            name: self.digest(variant, name) for name in names if not name.startswith("sha256-")
        }

    def digest(self, variant: str, reference: str) -> str | None:
        """Return the digest that a tag points to, None if there is none."""
        answer = self.client.head(
            f"{self.path}/{variant}/manifests/{reference}", headers={"Accept": MANIFEST}
        )
        return answer.headers.get("docker-content-digest") if answer.status_code == 200 else None

    def is_signed(self, variant: str, digest: str) -> bool:
        """Tell whether a signature and an attestation lie beside the digest."""
        stem = digest.replace(":", "-")
        return all(self.digest(variant, f"{stem}.{kind}") for kind in ("sig", "att"))


class Witness:
    """Watches variants' tags until it is told to stop; remembers every violation."""

    def __init__(self, registry: Registry, variants: list[str], *, interval: float = 0.1):
        """Look every `interval` seconds."""
        self.registry, self.variants, self.interval = registry, variants, interval
        self.violations: list[str] = []
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _watch(self) -> None:
        signed: set[str] = set()
        while not self._stop.wait(self.interval):
            for variant in self.variants:
                for tag, digest in self.registry.tags(variant).items():
                    if digest and digest not in signed:
                        if self.registry.is_signed(variant, digest):
                            signed.add(digest)
                        else:
                            self.violations.append(f"{variant}:{tag} -> {digest}")
            self.looks += 1
