"""`immutable-base verify`: the check that the night makes, for anybody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from immutable_base import process
from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    write_result,
)
from immutable_base.config.load import did_you_mean, load_settings
from immutable_base.context import Context
from immutable_base.errors import ConfigurationError
from immutable_base.model.reference import Reference
from immutable_base.sign import signer_of, sigstore_of
from immutable_base.tools.cosign import PUBLIC, Signer
from immutable_base.verify import NO_CT_LOG, VerifiedImage, Verifier

if TYPE_CHECKING:
    import argparse

    from immutable_base.config.schema import Settings

_DEFAULT_TAG = "latest"


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
        help="who must have signed (default: configuration)",
    )
    parser.add_argument(
        "--certificate-oidc-issuer",
        metavar="URL",
        help="who must have vouched for that identity (default: configuration)",
    )
    add_context_arguments(parser)
    add_output_arguments(parser)


def run(namespace: argparse.Namespace) -> int:
    """Verify one image and say what was proven."""
    context = _context(namespace)
    verifier = _verifier(namespace, context)
    reference = find_reference(namespace.reference, context.settings if context else None)
    # Once: what a tag names may change while we look.
    tag = reference.tag or _DEFAULT_TAG
    digest = reference.digest or verifier.resolve(reference.repository, tag)
    verified = verifier.verify(reference.repository, digest)
    text = _json(verified) if namespace.format == "json" else _text(verified)
    write_result(text, namespace.output)
    return 0


def _context(namespace: argparse.Namespace) -> Context | None:
    """Return the context; None for somebody who has no configuration but knows the signer.

    Raises ConfigurationError as `load_settings` does.
    """
    path = namespace.config.resolve()
    if not path.exists() and namespace.certificate_identity and namespace.certificate_oidc_issuer:
        return None
    return Context(
        settings=load_settings(path),
        config_path=path,
        layers_folder=path.parent / "layers",
        workspace=namespace.workspace.resolve(),
        run=process.run,
    )


def _verifier(namespace: argparse.Namespace, context: Context | None) -> Verifier:
    signer = Signer(
        identity=namespace.certificate_identity or "",
        issuer=namespace.certificate_oidc_issuer or "",
    )
    if context is None:
        return Verifier(run=process.run, sigstore=PUBLIC, signer=signer)
    configured = signer_of(context)
    signer = Signer(
        identity=signer.identity or configured.identity, issuer=signer.issuer or configured.issuer
    )
    return Verifier(run=context.run, sigstore=sigstore_of(context), signer=signer)


def find_reference(text: str, settings: Settings | None) -> Reference:
    """Return the reference that the user means.

    Raises ConfigurationError if it is neither a reference nor a configured variant.
    """
    if "/" in text:
        return Reference.parse(text)
    name, _, tag = text.partition(":")
    if settings is None:
        msg = f"'{name}' is not a reference, and there is no configuration that names variants"
        raise ConfigurationError(msg, hint="write registry/path:tag or registry/path@sha256:...")
    if name not in settings.variants:
        msg = (
            f"'{name}' is neither a variant nor a reference{did_you_mean(name, settings.variants)}"
        )
        raise ConfigurationError(
            msg,
            hint=f"the configuration has: {', '.join(settings.variants)}",
        )
    full = f"{settings.registry.destination}/{name}:{tag or _DEFAULT_TAG}"
    return Reference.parse(full)


def _facts(verified: VerifiedImage) -> dict[str, Any]:
    return {
        "image": verified.pinned,
        "signer": verified.signer.identity,
        "issuer": verified.signer.issuer,
        "rekor_log_index": verified.log_index,
        "sct_checked": verified.sct_checked,
        "sbom_components": [len(sbom.get("components", [])) for sbom in verified.sboms],
    }


def _json(verified: VerifiedImage) -> str:
    return json.dumps({"schema_version": 1, **_facts(verified)}, indent=2)


def _text(verified: VerifiedImage) -> str:
    counts = ", ".join(str(len(sbom.get("components", []))) for sbom in verified.sboms)
    lines = [
        f"verified  {verified.pinned}",
        f"signer    {verified.signer.identity}",
        f"issuer    {verified.signer.issuer}",
        f"log       entry {verified.log_index}",
        f"SBOM      attested by the same signer, {counts} components",
    ]
    if not verified.sct_checked:
        lines.append(f"note      {NO_CT_LOG}")
    return "\n".join(lines)
