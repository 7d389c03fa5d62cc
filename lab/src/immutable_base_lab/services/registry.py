"""An OCI registry with TLS by the lab's own CA."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.services.supervisor import Service, http_probe

if TYPE_CHECKING:
    from immutable_base_lab.core.paths import LabPaths


def registry_service(paths: LabPaths, port: int) -> Service:
    """Write the registry's configuration and return it as a service."""
    configuration = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(paths.registry_data)},
            "delete": {"enabled": True},
        },
        "http": {
            "addr": f"{LOOPBACK}:{port}",
            "tls": {
                "certificate": str(paths.keys / "server.pem"),
                "key": str(paths.keys / "server.key"),
            },
        },
    }
    # JSON is YAML, and needs no library.
    file = paths.services / "registry.yml"
    file.write_text(json.dumps(configuration, indent=2) + "\n")
    return Service(
        name="registry",
        argv=(str(paths.programs.program("registry")), "serve", str(file)),
        ports=(port,),
        probe=http_probe(f"https://{LOOPBACK}:{port}/v2/", ca=paths.trust / "ca.pem"),
        inputs=(file, paths.keys / "server.pem"),
        # Without it the registry tries to send traces to a collector that is not there.
        env={"OTEL_TRACES_EXPORTER": "none"},
    )
