"""`immutable-base verify`: the verification that a run makes, for anybody."""

from __future__ import annotations

import argparse
from pathlib import Path

from immutable_base import api
from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    write_result,
)
from immutable_base.log import log_to_terminal
from immutable_base.report.verify import verification_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "reference",
        metavar="REF",
        help="registry/path:tag, registry/path@sha256:..., or the name of a variant",
    )
    parser.add_argument(
        "--certificate-identity",
        metavar="URI",
        help="identity that must have signed (default: the configuration's)",
    )
    parser.add_argument(
        "--certificate-oidc-issuer",
        metavar="URL",
        help="OIDC issuer of that identity (default: the configuration's)",
    )
    add_context_arguments(parser)
    add_output_arguments(parser)


def run(namespace: argparse.Namespace) -> int:
    """Verify one image and print what was proven."""
    log_to_terminal(verbose=namespace.verbose)
    report = api.verify(
        namespace.reference,
        config=_config(namespace),
        identity=namespace.certificate_identity,
        issuer=namespace.certificate_oidc_issuer,
        workspace=namespace.workspace,
    )
    text = report.to_json() if namespace.format == "json" else verification_text(report)
    write_result(text, namespace.output)
    return 0


def _config(namespace: argparse.Namespace) -> Path | None:
    """Return the configuration; None for somebody who has none but knows the signer."""
    path: Path = namespace.config
    known = namespace.certificate_identity and namespace.certificate_oidc_issuer
    return None if known and not path.exists() else path
