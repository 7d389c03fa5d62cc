"""An OCI registry with TLS by the lab's own CA."""

from __future__ import annotations

import json

from immutable_base_lab.services.service import (
    Launch,
    ProductSettings,
    Service,
    Surroundings,
    http_probe,
)

CA = "ca.pem"
NAMESPACE = "immutable-base"


def _prepare(at: Surroundings) -> Launch:
    paths = at.paths
    configuration = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(paths.registry_data)},
            "delete": {"enabled": True},
        },
        "http": {
            "addr": at.address("registry"),
            "tls": {
                "certificate": str(paths.keys / "server.pem"),
                "key": str(paths.keys / "server.key"),
            },
        },
    }
    # JSON is YAML, and needs no library.
    file = paths.services / "registry.yml"
    file.write_text(json.dumps(configuration, indent=2) + "\n")
    return Launch(
        argv=(str(paths.programs.program("registry")), "serve", str(file)),
        probe=http_probe(f"https://{at.address('registry')}/v2/", ca=paths.trust / CA),
        inputs=(file, paths.keys / "server.pem"),
        # Without it the registry tries to send traces to a collector that is not there.
        env={"OTEL_TRACES_EXPORTER": "none"},
    )


def destination(at: Surroundings) -> str:
    """Return below what the lab's variants are published: `127.0.0.1:port/path`."""
    return f"{at.address('registry')}/{NAMESPACE}"


def _settings(at: Surroundings) -> ProductSettings:
    ca_bundle = str(at.paths.trust / CA)
    return {"registry": {"destination": destination(at), "ca_bundle": ca_bundle}}


SERVICE = Service(
    name="registry",
    ports=("registry",),
    prepare=_prepare,
    trust=(CA,),
    settings=_settings,
    environment=lambda at: {
        "IMMUTABLE_BASE_REGISTRY": destination(at),
        "SSL_CERT_FILE": str(at.paths.ca_bundle),
    },
)
