"""A TUF repository on loopback, made with python-tuf's Metadata API."""

from __future__ import annotations

import datetime as dt
from copy import deepcopy
from dataclasses import dataclass, field

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from support.web import Site

ROLES = ("root", "timestamp", "snapshot", "targets")


def in_days(days: int) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=days)


@dataclass
class TufRepository:
    """What its owners have signed, and what is served of it."""

    site: Site
    content: bytes
    keys: list = field(default_factory=lambda: [CryptoSigner.generate_ecdsa() for _ in range(3)])
    """Root's; two of three must sign."""
    online: CryptoSigner = field(default_factory=CryptoSigner.generate_ecdsa)
    """Key of the three other roles."""
    versions: dict = field(default_factory=lambda: dict.fromkeys(ROLES, 1))
    expires: dict = field(default_factory=lambda: dict.fromkeys(ROLES, 30))
    """Days from now."""
    name: str = "trusted_root.json"
    served: bytes | None = None
    """The target as it is served, where that is not what was signed."""
    liar: CryptoSigner | None = None
    """Who signs timestamp, snapshot and targets, where it is not the key that root names."""

    def __post_init__(self):
        self.first = self.publish_root()
        self.publish()

    def root(self) -> Metadata:
        root = Root(
            version=self.versions["root"],
            expires=in_days(self.expires["root"]),
            consistent_snapshot=True,
        )
        for signer in self.keys:
            root.add_key(signer.public_key, "root")
        root.roles["root"].threshold = 2
        for role in ROLES[1:]:
            root.add_key(self.online.public_key, role)
        return Metadata(root)

    def publish_root(self, signers=None) -> bytes:
        metadata = self.root()
        for signer in self.keys[:2] if signers is None else signers:
            metadata.sign(signer, append=True)
        raw = metadata.to_bytes()
        self.site.serve(f"/{self.versions['root']}.root.json", raw)
        return raw

    def rotate(self, *, signed_by_old: bool = True) -> None:
        """Replace every key of root by new ones, and the online key."""
        old, self.keys = self.keys, [CryptoSigner.generate_ecdsa() for _ in range(3)]
        self.online = CryptoSigner.generate_ecdsa()
        self.versions["root"] += 1
        self.publish_root([*(old[:2] if signed_by_old else ()), *self.keys[:2]])
        self.publish()

    def publish(self, *roles: str) -> None:
        """Sign and serve the roles (all but root), and the target."""
        for role in roles or ROLES[1:]:
            self._publish(role)
        target = TargetFile.from_data(self.name, self.content, ["sha256"])
        self.site.serve(
            f"/targets/{target.hashes['sha256']}.{self.name}",
            self.content if self.served is None else self.served,
        )

    def next(self, *roles: str) -> None:
        """Publish newer versions of these roles."""
        for role in roles or ROLES[1:]:
            self.versions[role] += 1
        self.publish()

    def _publish(self, role: str) -> None:
        metadata = Metadata(getattr(self, f"_{role}")())
        metadata.sign(self.liar or self.online)
        prefix = "" if role == "timestamp" else f"{self.versions[role]}."
        self.site.serve(f"/{prefix}{role}.json", metadata.to_bytes())

    def _common(self, role):
        return {"version": self.versions[role], "expires": in_days(self.expires[role])}

    def _timestamp(self):
        snapshot = MetaFile(version=self.versions["snapshot"])
        return Timestamp(**self._common("timestamp"), snapshot_meta=snapshot)

    def _snapshot(self):
        targets = MetaFile(version=self.versions["targets"])
        return Snapshot(**self._common("snapshot"), meta={"targets.json": targets})

    def _targets(self):
        target = TargetFile.from_data(self.name, self.content, ["sha256"])
        return Targets(**self._common("targets"), targets={self.name: deepcopy(target)})
