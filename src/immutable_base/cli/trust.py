"""`immutable-base trust`: whom a verification trusts, and how that stays up to date."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from immutable_base.cli.options import write_result
from immutable_base.config.trust import PUBLIC_FULCIO, TrustSettings, load_trust
from immutable_base.errors import ConfigurationError
from immutable_base.report.trust import trust_text
from immutable_base.state import trust_folder
from immutable_base.trusted import roots_of
from immutable_base.update_trust import REPOSITORY, trusted_until, update_trust
from immutable_base.verification.client import Client
from immutable_base.verification.deadline import SECONDS, Deadline
from immutable_base.verification.roots import TrustRoots
from immutable_base.verification.tls_trust import TlsTrust


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "action",
        choices=("show", "update"),
        help="show it, or fetch the public instance's anew by TUF",
    )
    parser.add_argument(
        "--mirror",
        metavar="URL",
        default=REPOSITORY,
        help=f"copy of the TUF repository to update from (default: {REPOSITORY})",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=os.environ.get("IMMUTABLE_BASE_CONFIG") or None,
        help="configuration with a private instance, or a private CA for HTTPS (default: "
        "$IMMUTABLE_BASE_CONFIG, else none)",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show each request")


def run(namespace: argparse.Namespace) -> int:
    """Show whom a verification with this configuration trusts, after an update if asked for."""
    path = Path(namespace.config).resolve() if namespace.config else None
    settings = load_trust(path) if path else None
    folder = path.parent if path else Path()
    if namespace.action == "update":
        _update(settings, folder, namespace.mirror)
    roots = roots_of(settings.signing if settings else None, folder)
    write_result(trust_text(roots, until=_until(roots)), None)
    return 0


def _update(settings: TrustSettings | None, folder: Path, mirror: str) -> None:
    if settings is not None and (settings.signing.fulcio_root or settings.signing.trusted_root):
        raise ConfigurationError(
            "the trust in this instance is in files that the configuration names: there is nothing "
            "to update",
            hint="replace the files, or leave --config out to update the public instance's trust",
        )
    authority = settings.authority(folder) if settings else None
    client = Client(deadline=Deadline(seconds=SECONDS), tls=TlsTrust(authority))
    found = update_trust(client, instance=PUBLIC_FULCIO, repository=mirror)
    print("updated" if found.is_new else "up to date already")


def _until(roots: TrustRoots) -> str | None:
    return trusted_until() if roots.source.startswith(str(trust_folder())) else None
