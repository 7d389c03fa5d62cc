"""`immutable-base verify`: the verification that a run makes, for anybody."""

from __future__ import annotations

import argparse
import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    write_result,
)
from immutable_base.errors import ConfigurationError
from immutable_base.report.verify import verification_text
from immutable_base.verification.deadline import SECONDS
from immutable_base.verify import VerifiedImage
from immutable_base.verify_reference import prove

HERE = Path("immutable-base.toml")
LONGEST = 3600.0
DECIMAL = re.compile(r"[0-9]{1,9}([.][0-9]{1,9})?")
MOMENT = re.compile(
    r"(?P<whole>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?P<part>[.][0-9]+)?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})"
)
"""Source: RFC 3339, section 5.6."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 253402300799
"""The last second of the year 9999, which is the last that can be written."""
UNITS = {"m": 60, "h": 3600, "d": 86400}


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
    parser.add_argument(
        "--signed-as",
        metavar="REPOSITORY",
        help="repository that the signature names, where REF is a copy of it elsewhere",
    )
    parser.add_argument(
        "--not-older-than",
        metavar="AGE",
        type=_age,
        help="refuse an image that was signed longer ago, e.g. 36h or 7d",
    )
    parser.add_argument(
        "--signed-after",
        metavar="TIME",
        type=_moment,
        help="refuse an image that was signed before this time (RFC 3339): the last one known",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=SECONDS,
        help=f"time for the whole verification (default: {SECONDS:g})",
    )
    parser.add_argument(
        "--as-host",
        action="store_true",
        help="also let the image's own skopeo fetch all of it under the image's own policy, as a "
        "host would; needs root",
    )
    add_context_arguments(parser)
    parser.set_defaults(config=None)
    add_output_arguments(parser)


def _age(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age such as 36h or 7d")
    return int(found[1]) * UNITS[found[2]]


def _moment(text: str) -> int:
    """Return a time in seconds since 1970; a part of a second counts as a whole one."""
    refusal = argparse.ArgumentTypeError(
        f"{text!r} is not a time with its zone (RFC 3339), such as 2026-11-26T04:05:56Z"
    )
    found = MOMENT.fullmatch(text)
    if found is None:
        raise refusal
    try:
        whole = datetime.fromisoformat(found["whole"] + found["zone"])
        seconds = (whole - EPOCH) // timedelta(seconds=1) + bool((found["part"] or "").strip(".0"))
    except (ValueError, OverflowError) as error:
        raise refusal from error
    if not 0 <= seconds <= LATEST:
        raise refusal
    return seconds


def _seconds(text: str) -> float:
    found = float(text) if DECIMAL.fullmatch(text) else 0.0
    if not 0 < found <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and {LONGEST:g} seconds")
    return found


def run(namespace: argparse.Namespace) -> int:
    """Verify one image and print what was proven."""
    configuration = _config(namespace)
    verified = prove(
        namespace.reference,
        configuration,
        identity=namespace.certificate_identity,
        issuer=namespace.certificate_oidc_issuer,
        signed_as=namespace.signed_as,
        not_before=_not_before(namespace),
        timeout=namespace.timeout,
    )
    if namespace.as_host:
        from immutable_base.run.as_host import (  # noqa: PLC0415  takes longer than to verify
            require_taken_by_host,
        )

        require_taken_by_host(verified, configuration, namespace.workspace.resolve())
    write_result(_result(verified, configuration, namespace), namespace.output)
    return 0


def _result(
    verified: VerifiedImage, configuration: Path | None, namespace: argparse.Namespace
) -> str:
    if namespace.format == "text":
        text = verification_text(verified, configuration=configuration)
        return f"{text}host      takes it, by its own policy\n" if namespace.as_host else text
    from immutable_base.report.verify_document import (  # noqa: PLC0415  pydantic takes a while
        verification_report,
    )

    return verification_report(verified, configuration=configuration).to_json()


def _not_before(namespace: argparse.Namespace) -> int | None:
    limits = [namespace.signed_after]
    if namespace.not_older_than is not None:
        limits.append(int(time.time()) - namespace.not_older_than)
    return max((limit for limit in limits if limit is not None), default=None)


def _config(namespace: argparse.Namespace) -> Path | None:
    """Return the configuration that says whom to trust.

    Whoever names the signer names the trust too, or gets the public instance's: the folder that
    one stands in decides nothing then. Without a signer it is the configuration in that folder,
    and the answer says which one it was.
    """
    explicit: Path | None = namespace.config
    if explicit is None and os.environ.get("IMMUTABLE_BASE_CONFIG"):
        explicit = Path(os.environ["IMMUTABLE_BASE_CONFIG"])
    if explicit is not None:
        return explicit.resolve()
    if namespace.certificate_identity is not None and namespace.certificate_oidc_issuer is not None:
        return None
    if not HERE.exists():
        raise ConfigurationError(
            f"there is no {HERE} here, so nobody says who must have signed",
            hint="name --config, or --certificate-identity and --certificate-oidc-issuer",
        )
    return HERE.resolve()
