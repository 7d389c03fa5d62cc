"""Fulcio: the certificate authority of keyless signatures."""

from __future__ import annotations

import json

from immutable_base_lab.core.files import write_private
from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.services.ctlog import log_url
from immutable_base_lab.services.issuer import DEFAULTS, GITLAB_HOST
from immutable_base_lab.services.service import (
    Launch,
    ProductSettings,
    Service,
    Surroundings,
    http_probe,
)

ROOT = "fulcio.pem"


def _prepare(at: Surroundings) -> Launch:
    paths, port = at.paths, at.ports["fulcio"]
    configuration = paths.services / "fulcio.yaml"
    # The first line makes it YAML: Fulcio takes a file that is JSON for one with other keys.
    text = json.dumps(fulcio_configuration(at.url("issuer")), indent=2)
    configuration.write_text(f"# made by `lab up`\n{text}\n")
    options = paths.services / "fulcio-options.json"
    password = (paths.keys / "fulcio.password").read_text()
    write_private(options, json.dumps({"fileca-key-passwd": password}) + "\n")
    argv = (
        str(paths.programs.program("fulcio")), "serve", f"--config={options}",
        f"--host={LOOPBACK}", f"--port={port}",
        f"--grpc-host={LOOPBACK}", f"--grpc-port={at.ports['fulcio-grpc']}",
        f"--metrics-port={at.ports['fulcio-metrics']}",
        # The default name is the machine's, not the lab's: two labs would collide.
        f"--legacy-unix-domain-socket=@immutable-base-lab-fulcio-{port}",
        f"--config-path={configuration}", f"--ct-log-url={log_url(at)}",
        f"--ct-log-public-key-path={paths.keys / 'ctlog.pub'}", "--log_type=prod",
        "--ca=fileca", "--fileca-watch=false",
        f"--fileca-cert={paths.keys / ROOT}", f"--fileca-key={paths.keys / 'fulcio.key'}",
    )  # fmt: skip
    return Launch(
        argv=argv,
        probe=http_probe(f"{at.url('fulcio')}/api/v1/rootCert"),
        inputs=(configuration, options, paths.keys / ROOT),
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


def _settings(at: Surroundings) -> ProductSettings:
    root = str(at.paths.trust / ROOT)
    return {"signing": {"fulcio_url": at.url("fulcio"), "fulcio_root": root}}


SERVICE = Service(
    name="fulcio",
    ports=("fulcio", "fulcio-grpc", "fulcio-metrics"),
    prepare=_prepare,
    trust=(ROOT,),
    settings=_settings,
    environment=lambda at: {"SIGSTORE_ROOT_FILE": str(at.paths.trust / ROOT)},
)
