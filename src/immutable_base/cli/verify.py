"""`immutable-base verify`: the verification that a run makes, for anybody."""

from __future__ import annotations

import argparse

from immutable_base import process
from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    write_result,
)
from immutable_base.config.load import did_you_mean, load_settings
from immutable_base.config.schema import Settings
from immutable_base.errors import ConfigurationError
from immutable_base.log import log_to_terminal
from immutable_base.model.reference import Reference
from immutable_base.report.verify import verification_report, verification_text
from immutable_base.sign import signer_of, sigstore_of
from immutable_base.tls import set_up_tls
from immutable_base.tools.cosign import PUBLIC, Signer
from immutable_base.verify import Verifier

DEFAULT_TAG = "latest"


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
    settings = _settings(namespace)
    verifier = _verifier(namespace, settings)
    reference = find_reference(namespace.reference, settings)
    # Resolved once: the tag may move meanwhile.
    tag = reference.tag or DEFAULT_TAG
    digest = reference.digest or verifier.resolve(reference.repository, tag)
    verified = verifier.verify(reference.repository, digest)
    report = verification_report(verified)
    text = report.to_json() if namespace.format == "json" else verification_text(report)
    write_result(text, namespace.output)
    return 0


def _settings(namespace: argparse.Namespace) -> Settings | None:
    """Return the configuration; None for somebody who has none but knows the signer.

    Raises ConfigurationError as `load_settings` does.
    """
    path = namespace.config.resolve()
    if not path.exists() and namespace.certificate_identity and namespace.certificate_oidc_issuer:
        return None
    return load_settings(path)


def _verifier(namespace: argparse.Namespace, settings: Settings | None) -> Verifier:
    identity, issuer = namespace.certificate_identity, namespace.certificate_oidc_issuer
    if settings is None:
        signer = Signer(identity=identity, issuer=issuer)
        return Verifier(run=process.run, sigstore=PUBLIC, signer=signer)
    configured = signer_of(settings.signing)
    folder = namespace.config.resolve().parent
    tls = set_up_tls(settings.authority(folder), namespace.workspace.resolve())
    return Verifier(
        run=process.run,
        sigstore=sigstore_of(settings.signing, folder, tls.environment),
        signer=Signer(identity=identity or configured.identity, issuer=issuer or configured.issuer),
    )


def find_reference(text: str, settings: Settings | None) -> Reference:
    """Return the reference that the user means.

    Raises ConfigurationError if it is neither a reference nor a configured variant.
    """
    if "/" in text:
        return Reference.parse(text)
    name, _, tag = text.partition(":")
    if settings is None:
        raise ConfigurationError(
            f"'{name}' is not a reference, and there is no configuration that names variants",
            hint="write registry/path:tag or registry/path@sha256:...",
        )
    if name not in settings.variants:
        raise ConfigurationError(
            f"'{name}' is neither a variant nor a reference{did_you_mean(name, settings.variants)}",
            hint=f"the configuration has: {', '.join(settings.variants)}",
        )
    return Reference.parse(f"{settings.repository_of(name)}:{tag or DEFAULT_TAG}")
