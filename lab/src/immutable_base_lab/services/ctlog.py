"""The log of certificates, on Trillian."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization

from immutable_base_lab.core.files import write_private
from immutable_base_lab.services.service import Launch, Service, Surroundings, http_probe
from immutable_base_lab.services.trillian import LOG_SERVER, ensure_tree

PREFIX = "lab"
"""First part of the path in every address of the log."""
PUBLIC_KEY = "ctlog.pub"


def _prepare(at: Surroundings) -> Launch:
    paths = at.paths
    key, roots = paths.keys / "ctlog.key", paths.keys / "fulcio.pem"
    file = paths.services / "ctlog.cfg"
    write_private(
        file,
        f"""config {{
  log_id: {ensure_tree(at, "ctlog")}
  prefix: "{PREFIX}"
  roots_pem_file: "{roots}"
  private_key: {{
    [type.googleapis.com/keyspb.PrivateKey] {{ der: "{_escaped_der(key)}" }}
  }}
  ext_key_usages: "CodeSigning"
}}
""",
    )
    argv = (
        str(paths.programs.program("ct_server")), f"--log_config={file}", "--logtostderr",
        f"--log_rpc_server={at.address(LOG_SERVER)}", f"--http_endpoint={at.address('ctlog')}",
    )  # fmt: skip
    probe = http_probe(f"{log_url(at)}/ct/v1/get-sth")
    return Launch(argv=argv, probe=probe, inputs=(file, key, roots))


def log_url(at: Surroundings) -> str:
    """Return the address of the log for those who write into it."""
    return f"{at.url('ctlog')}/{PREFIX}"


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


SERVICE = Service(
    name="ctlog",
    ports=("ctlog",),
    prepare=_prepare,
    trust=(PUBLIC_KEY,),
    settings=lambda at: {"signing": {"ct_log_key": str(at.paths.trust / PUBLIC_KEY)}},
    environment=lambda at: {"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(at.paths.trust / PUBLIC_KEY)},
)
