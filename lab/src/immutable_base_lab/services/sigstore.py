"""Fulcio, Rekor and a CT log, both logs on Trillian: keyless signing, all on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

from immutable_base.errors import CommandError
from immutable_base.process import Command, Runner, run
from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.services.database import connection_uri
from immutable_base_lab.services.issuer import DEFAULTS, GITLAB_HOST
from immutable_base_lab.services.supervisor import Service, http_probe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from immutable_base_lab.core.paths import LabPaths

_CT_PREFIX = "lab"

# All operations of Rekor's API but the search by hash, which needs a second database.
_REKOR_OPERATIONS = (
    "getLogInfo", "getPublicKey", "getLogProof", "createLogEntry", "getLogEntryByIndex",
    "getLogEntryByUUID", "searchLogQuery",
)  # fmt: skip


def trillian_services(paths: LabPaths, ports: Mapping[str, int]) -> tuple[Service, Service]:
    """Write Trillian's flag file and return its server and its signer."""
    flags = paths.services / "trillian.flags"
    flags.touch(mode=0o600)  # it holds the database's password
    flags.write_text(
        f"--mysql_uri={connection_uri(paths, ports['database'])} --quota_system=noop\n"
    )
    server = _trillian(paths, ports, "log-server")
    signer = _trillian(
        paths,
        ports,
        "log-signer",
        "--force_master",
        "--sequencer_interval=200ms",
        "--batch_size=100",
    )
    return server, signer


def _trillian(paths: LabPaths, ports: Mapping[str, int], role: str, *more: str) -> Service:
    rpc, http = ports[f"trillian-{role}"], ports[f"trillian-{role}-http"]
    flags = paths.services / "trillian.flags"
    program = paths.programs.program(f"trillian_{role.replace('-', '_')}")
    argv = (
        str(program), f"--config={flags}", "--logtostderr",
        f"--rpc_endpoint={LOOPBACK}:{rpc}", f"--http_endpoint={LOOPBACK}:{http}", *more,
    )  # fmt: skip
    return Service(
        name=f"trillian-{role}",
        argv=argv,
        ports=(rpc, http),
        probe=http_probe(f"http://{LOOPBACK}:{http}/healthz"),
        inputs=(flags,),
    )


def ensure_tree(
    paths: LabPaths, ports: Mapping[str, int], log: str, *, runner: Runner = run
) -> int:
    """Return the number of a log's tree in the database; make the tree if there is none.

    The number is kept beside the data that it belongs to. Raises CommandError if Trillian refuses.
    """
    file = paths.database / f"tree-{log}"
    if file.exists():
        return int(file.read_text())
    server = f"--admin_server={LOOPBACK}:{ports['trillian-log-server']}"
    program = str(paths.programs.program("createtree"))
    made = runner(Command(argv=(program, server, "--logtostderr"), timeout=60)).text.strip()
    if not made.isdigit():
        message = f"the log of {log} got no tree"
        raise CommandError(message, details=made)
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(made)
    fresh.replace(file)
    return int(made)


def rekor_service(paths: LabPaths, ports: Mapping[str, int], tree: int) -> Service:
    """Return the transparency log as a service."""
    port = ports["rekor"]
    argv = (
        str(paths.programs.program("rekor-server")), "serve",
        f"--rekor_server.address={LOOPBACK}", f"--port={port}",
        f"--rekor_server.hostname={LOOPBACK}",
        f"--rekor_server.signer={paths.keys / 'rekor.key'}",
        f"--trillian_log_server.address={LOOPBACK}",
        f"--trillian_log_server.port={ports['trillian-log-server']}",
        f"--trillian_log_server.tlog_id={tree}",
        f"--enabled_api_endpoints={','.join(_REKOR_OPERATIONS)}",
        "--enable_retrieve_api=false", "--log_type=prod",
    )  # fmt: skip
    return Service(
        name="rekor",
        argv=argv,
        ports=(port,),
        probe=http_probe(f"http://{LOOPBACK}:{port}/api/v1/log"),
        inputs=(paths.keys / "rekor.key",),
    )


def ctlog_service(paths: LabPaths, ports: Mapping[str, int], tree: int) -> Service:
    """Write the configuration of the log of certificates and return it as a service."""
    port = ports["ctlog"]
    file = paths.services / "ctlog.cfg"
    file.touch(mode=0o600)
    file.write_text(
        f"""config {{
  log_id: {tree}
  prefix: "{_CT_PREFIX}"
  roots_pem_file: "{paths.keys / "fulcio.pem"}"
  private_key: {{
    [type.googleapis.com/keyspb.PrivateKey] {{ der: "{_escaped_der(paths.keys / "ctlog.key")}" }}
  }}
  ext_key_usages: "CodeSigning"
}}
"""
    )
    argv = (
        str(paths.programs.program("ct_server")), f"--log_config={file}", "--logtostderr",
        f"--log_rpc_server={LOOPBACK}:{ports['trillian-log-server']}",
        f"--http_endpoint={LOOPBACK}:{port}",
    )  # fmt: skip
    return Service(
        name="ctlog",
        argv=argv,
        ports=(port,),
        probe=http_probe(f"http://{LOOPBACK}:{port}/{_CT_PREFIX}/ct/v1/get-sth"),
        inputs=(file, paths.keys / "ctlog.key", paths.keys / "fulcio.pem"),
    )


def _escaped_der(key: Path) -> str:
    """Return a PEM key as DER in the escapes of protobuf's text format.

    The server reads key files only if they are encrypted in the old way of OpenSSL.
    """
    private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    der = private.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return "".join(f"\\x{byte:02x}" for byte in der)


def fulcio_service(paths: LabPaths, ports: Mapping[str, int]) -> Service:
    """Write Fulcio's configuration and return the certificate authority as a service."""
    configuration = paths.services / "fulcio.yaml"
    issuer = f"http://{LOOPBACK}:{ports['issuer']}"
    # The first line makes it YAML: Fulcio takes a file that is JSON for one with other keys.
    text = json.dumps(fulcio_configuration(issuer), indent=2)
    configuration.write_text(f"# made by `lab up`\n{text}\n")
    options = paths.services / "fulcio-options.json"
    options.touch(mode=0o600)
    password = (paths.keys / "fulcio.password").read_text()
    options.write_text(json.dumps({"fileca-key-passwd": password}) + "\n")
    port = ports["fulcio"]
    argv = (
        str(paths.programs.program("fulcio")), "serve", f"--config={options}",
        f"--host={LOOPBACK}", f"--port={port}",
        f"--grpc-host={LOOPBACK}", f"--grpc-port={ports['fulcio-grpc']}",
        f"--metrics-port={ports['fulcio-metrics']}",
        # The default name is the machine's, not the lab's: two labs would collide.
        f"--legacy-unix-domain-socket=@immutable-base-lab-fulcio-{port}",
        f"--config-path={configuration}", f"--ct-log-url=http://{LOOPBACK}:{ports['ctlog']}/{_CT_PREFIX}",
        f"--ct-log-public-key-path={paths.keys / 'ctlog.pub'}", "--log_type=prod",
        "--ca=fileca", "--fileca-watch=false",
        f"--fileca-cert={paths.keys / 'fulcio.pem'}", f"--fileca-key={paths.keys / 'fulcio.key'}",
    )  # fmt: skip
    return Service(
        name="fulcio",
        argv=argv,
        ports=(port, ports["fulcio-grpc"], ports["fulcio-metrics"]),
        probe=http_probe(f"http://{LOOPBACK}:{port}/api/v1/rootCert"),
        inputs=(configuration, options, paths.keys / "fulcio.pem"),
    )


def fulcio_configuration(issuer: str) -> dict[str, object]:
    """Return the configuration with which certificates are those of the public Fulcio for GitLab.

    Source: sigstore/fulcio v1.8.8, config/identity/config.yaml, provider gitlab-pipeline.
    """
    kind = "gitlab-pipeline"
    config_uri = "https://{{ .ci_config_ref_uri }}"
    return {
        "oidc-issuers": {
            issuer: {
                "issuer-url": issuer,
                "client-id": DEFAULTS["audience"],
                "type": "ci-provider",
                "ci-provider": kind,
            }
        },
        "ci-issuer-metadata": {
            kind: {
                "default-template-values": {"url": f"https://{GITLAB_HOST}", "environment": ""},
                "extension-templates": {
                    "build-signer-uri": config_uri,
                    "build-signer-digest": "ci_config_sha",
                    "runner-environment": "runner_environment",
                    "source-repository-uri": "{{ .url }}/{{ .project_path }}",
                    "source-repository-digest": "sha",
                    "source-repository-ref": (
                        'refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}'
                    ),
                    "source-repository-identifier": "project_id",
                    "source-repository-owner-uri": "{{ .url }}/{{ .namespace_path }}",
                    "source-repository-owner-identifier": "namespace_id",
                    "build-config-uri": config_uri,
                    "build-config-digest": "ci_config_sha",
                    "build-trigger": "pipeline_source",
                    "run-invocation-uri": "{{ .url }}/{{ .project_path }}/-/jobs/{{ .job_id }}",
                    "source-repository-visibility-at-signing": "project_visibility",
                    "deployment-environment": "environment",
                },
                "subject-alternative-name-template": config_uri,
            }
        },
    }
