"""Rekor: the transparency log of signatures."""

from __future__ import annotations

from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.services.service import (
    Launch,
    ProductSettings,
    Service,
    Surroundings,
    http_probe,
)
from immutable_base_lab.services.trillian import LOG_SERVER, ensure_tree

PUBLIC_KEY = "rekor.pub"
# All operations of Rekor's API but the search by hash, which needs a second database.
_OPERATIONS = (
    "getLogInfo", "getPublicKey", "getLogProof", "createLogEntry", "getLogEntryByIndex",
    "getLogEntryByUUID", "searchLogQuery",
)  # fmt: skip


def _prepare(at: Surroundings) -> Launch:
    key = at.paths.keys / "rekor.key"
    argv = (
        str(at.paths.programs.program("rekor-server")), "serve",
        f"--rekor_server.address={LOOPBACK}", f"--port={at.ports['rekor']}",
        f"--rekor_server.hostname={LOOPBACK}",
        f"--rekor_server.signer={key}",
        f"--trillian_log_server.address={LOOPBACK}",
        f"--trillian_log_server.port={at.ports[LOG_SERVER]}",
        f"--trillian_log_server.tlog_id={ensure_tree(at, 'rekor')}",
        f"--enabled_api_endpoints={','.join(_OPERATIONS)}",
        "--enable_retrieve_api=false", "--log_type=prod",
    )  # fmt: skip
    return Launch(argv=argv, probe=http_probe(f"{at.url('rekor')}/api/v1/log"), inputs=(key,))


def _settings(at: Surroundings) -> ProductSettings:
    key = str(at.paths.trust / PUBLIC_KEY)
    return {"signing": {"rekor_url": at.url("rekor"), "rekor_key": key}}


SERVICE = Service(
    name="rekor",
    ports=("rekor",),
    prepare=_prepare,
    trust=(PUBLIC_KEY,),
    settings=_settings,
    environment=lambda at: {"SIGSTORE_REKOR_PUBLIC_KEY": str(at.paths.trust / PUBLIC_KEY)},
)
