"""One image with a good signature and a good SBOM, to be spoilt in one way, and what `verify` says.

A scene is read through the command itself, over TLS on loopback, so that exit codes are those of
users and no traceback can hide.
"""

from __future__ import annotations

import contextlib
import io
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.cli.main import main
from support.forge import (
    IDENTITY,
    ISSUER,
    NOW,
    OCI,
    Instance,
    MemoryRegistry,
    attestation,
    digest_of,
    pem_of,
    provenance,
    public_pem,
    signature,
    simple_signing,
    statement,
)
from support.paths import PRODUCT
from support.web import Reply, Site

PATH = "os/base-zfs"
OK, CONFIG, UNKNOWN, REFUSED, NOT_SIGNED, OTHERS, BROKEN, NO_IMAGE = 0, 2, 6, 12, 13, 14, 15, 16


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@dataclass
class Scene:
    """Everything that a verification looks at; `spoil` functions change one thing of it."""

    site: Site
    instance: Instance
    folder: Path
    authority: Path
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    reference: str = ""
    arguments: list = field(default_factory=list)
    signing: dict = field(default_factory=dict)
    """Keys of `[signing]` that differ; None leaves one out."""
    replies: dict = field(default_factory=dict)
    """Paths that answer otherwise; `*` stands for every one."""
    mirrors: tuple = ()

    def __post_init__(self):
        self.host = self.site.url.removeprefix("https://")
        self.repository = f"{self.host}/{PATH}"
        self.digest = self.registry.add_image(tag="latest")
        self.reference = f"{self.repository}:latest"
        self.registry.attach(self.digest, "sig", self.sig())
        self.set_att(self.att())
        self.registry.refer(self.digest)

    def leaf(self, **changes):
        return self.instance.leaf(**changes)

    def payload(self, digest=None, repository=None, **changes):
        return simple_signing(digest or self.digest, self.repository if repository is None else repository, **changes)  # fmt: skip

    def sig(self, payload=None, **changes):
        return signature(self.instance, self.payload() if payload is None else payload, **changes)

    def att(self, payload=None, **changes):
        return attestation(self.instance, statement(self.digest) if payload is None else payload, **changes)  # fmt: skip

    def set_sig(self, *layers):
        self.registry.attach(self.digest, "sig", *layers)

    def prov(self, payload=None, **changes):
        given = provenance(self.digest) if payload is None else payload
        return attestation(self.instance, given, **{"index": 9, **changes})

    def set_att(self, *layers):
        """Attest this, and a good provenance."""
        self.registry.attach(self.digest, "att", *layers, self.prov())

    def set_prov(self, *layers):
        """Attest these beside a good SBOM."""
        self.registry.attach(self.digest, "att", self.att(), *layers)

    def remove(self, kind):
        del self.registry.manifests[f"{self.digest.replace(':', '-')}.{kind}"]

    def path_of(self, kind):
        return f"/v2/{PATH}/manifests/{self.digest.replace(':', '-')}.{kind}"

    def reply(self, path):
        """Answer one request of the registry's API."""
        found = self.replies.get(path, self.replies.get("*"))
        if found is not None:
            return found(path) if callable(found) else found
        path = path.partition("?")[0]
        head, _, reference = path.rpartition("/")
        reference = urllib.parse.unquote(reference)
        # The path is part of the name: another repository has other content.
        if head == f"/v2/{PATH}/manifests":
            content = self.registry.manifests.get(reference)
        elif head == f"/v2/{PATH}/blobs":
            content = self.registry.blobs.get(reference)
        elif head == f"/v2/{PATH}/referrers" and self.registry.has_referrers:
            (content,) = self.registry.referrers(reference, "")
        else:
            content = None
        if path == "/v2/":
            return Reply(b"{}")
        missing = b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'
        if content is None:
            return Reply(missing, 404)
        return Reply(content, headers={"Content-Type": OCI} if "/manifests/" in path else {})

    def config(self) -> Path:
        """Write the configuration of somebody who trusts exactly our instance."""
        files = {
            "fulcio_root": pem_of(self.instance.root).encode(),
            "rekor_key": public_pem(self.instance.rekor_key),
            "ct_log_key": public_pem(self.instance.ct_key),
        }
        for name, content in files.items():
            (self.folder / f"{name}.pem").write_bytes(content)
        signing = {
            "certificate_identity": IDENTITY,
            "certificate_oidc_issuer": ISSUER,
            "fulcio_url": "https://fulcio.example",
            "rekor_url": "https://rekor.example",
            **{name: f"{name}.pem" for name in files},
            **self.signing,
        }
        return write_config(self.folder, signing, {
            "destination": f"{self.host}/os", "ca_bundle": str(self.authority), "mirrors": list(self.mirrors),
        })  # fmt: skip

    def verify(self, *more) -> Outcome:
        """Run `immutable-base verify` on it."""
        self.site.next_reply = self.reply
        config = self.config()
        arguments = [
            "verify",
            "--config",
            str(config),
            *self.arguments,
            *more,
            "--",
            self.reference,
        ]
        return command(arguments)


def command(arguments) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    text = (
        str(value)
        .replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("\n", "\\n")
        .replace("\x1b", "\\u001b")
    )
    return f'"{text}"'


def write_config(folder, signing, registry) -> Path:
    """Write the product's own configuration with other tables `signing` and `registry`."""
    kept, table = [], ""
    for line in PRODUCT.read_text().splitlines():
        if line.startswith("["):
            table = line.strip()
        if table not in {"[signing]", "[registry]"}:
            kept.append(line)
    for name, values in (("registry", registry), ("signing", signing)):
        kept.append(f"[{name}]")
        kept += [f"{key} = {toml(value)}" for key, value in values.items() if value is not None]
    path = folder / "immutable-base.toml"
    path.write_text("\n".join(kept) + "\n")
    return path


__all__ = [
    "BROKEN", "CONFIG", "NOT_SIGNED", "NOW", "NO_IMAGE", "OK", "OTHERS", "REFUSED", "UNKNOWN", "Outcome",
    "Scene", "command", "digest_of", "write_config",
]  # fmt: skip
