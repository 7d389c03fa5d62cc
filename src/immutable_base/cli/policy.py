"""`immutable-base policy`: whose images hosts take, rendered, linted, tried and rotated."""

from __future__ import annotations

import argparse
from pathlib import Path

from immutable_base.cli.make_context import make_context
from immutable_base.cli.options import (
    add_config_argument,
    add_context_arguments,
    add_variant_argument,
    write_result,
)
from immutable_base.config.load import load_settings
from immutable_base.config.names import selected_variants
from immutable_base.config.schema import Settings
from immutable_base.config.signing_keys import SigningKeys
from immutable_base.context import Context
from immutable_base.errors import CheckError, ConfigurationError, HostError
from immutable_base.policy.demands import BY_CHOICE, variant_demands
from immutable_base.policy.lint import LintFinding, lint, lint_open
from immutable_base.policy.render import render_files
from immutable_base.policy.rotate import rotated
from immutable_base.process import heed_interrupts
from immutable_base.report.policy import (
    files_text,
    keys_state_text,
    lint_text,
    rotation_text,
    verify_commands,
)
from immutable_base.rotate_key import write_keys
from immutable_base.run.host_policy import built_policy, try_policy
from immutable_base.trusted_keys import host_trust_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    rendering = "print every file that images get, or write them into a folder"
    render = actions.add_parser("render", help=rendering, description=rendering)
    render.add_argument(
        "--base-policy", metavar="FILE", type=Path, help="policy.json of the base image, to be kept"
    )
    render.add_argument("--into", metavar="FOLDER", type=Path, help="write them below this folder")
    render.add_argument(
        "--commands", action="store_true", help="print how to verify with cosign instead"
    )
    add_config_argument(render)
    linting = "list what is wrong with what built images say; exit with 10 if anything is"
    testing = "let the skopeo of published images fetch them, and an unsigned copy, as hosts do"
    for name, text in (("lint", linting), ("test", testing)):
        action = actions.add_parser(name, help=text, description=text)
        add_variant_argument(action)
        add_context_arguments(action)
    rotating = "show the keys and the next step of a rotation, or make it"
    rotate = actions.add_parser("rotate", help=rotating, description=rotating)
    rotate.add_argument("--next", metavar="FILE", help="public key that hosts shall accept, too")
    rotate.add_argument("--key", metavar="REFERENCE", help="private key to switch to")
    rotate.add_argument("--apply", action="store_true", help="write the step")
    add_config_argument(rotate)


def run(namespace: argparse.Namespace) -> int:
    """Carry out one action; exit with 10 if a lint objects, 12 if a host would do otherwise."""
    if namespace.action in {"lint", "test"}:
        return _ask_images(namespace)
    path = namespace.config.resolve()
    settings = load_settings(path)
    if namespace.action == "rotate":
        return _rotate(namespace, settings, path)
    if namespace.commands:
        name = next(iter(settings.variants))
        write_result(verify_commands(settings, f"{settings.repository_of(name)}:TAG"), None)
        return 0
    base = None if namespace.base_policy is None else _read(namespace.base_policy)
    files = render_files(host_trust_of(settings, path.parent), base)
    if namespace.into is None:
        write_result(files_text(files), None)
    else:
        _write(namespace.into, files)
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    except OSError as error:
        raise HostError(f"cannot write below {folder}: {error.strerror}") from error


def _rotate(namespace: argparse.Namespace, settings: Settings, path: Path) -> int:
    keys = _keys(settings)
    if not namespace.apply and namespace.next is None and namespace.key is None:
        write_result(keys_state_text(keys, host_trust_of(settings, path.parent)), None)
        return 0
    rotation = rotated(keys, key=namespace.key, new_path=namespace.next)
    if not namespace.apply:
        write_result(f"would write: {rotation.step}; add --apply\n", None)
        return 0
    write_keys(path, rotation.keys)
    write_result(rotation_text(rotation), None)
    return 0


def _keys(settings: Settings) -> SigningKeys:
    if settings.signing.keys is None:
        raise ConfigurationError(
            "there is no key to rotate: signing.keys is not set",
            hint="docs/how-to/sign-with-a-key.md",
        )
    return settings.signing.keys


def _ask_images(namespace: argparse.Namespace) -> int:
    heed_interrupts()
    context = make_context(namespace)
    status = 0
    for name in selected_variants(context.settings, namespace.variant):
        if namespace.action == "test":
            write_result(f"{name}: {try_policy(context, name)}\n", None)
            continue
        findings = _lint(context, name)
        if findings is None:
            write_result(f"{name}: {BY_CHOICE}\n", None)
            continue
        write_result(lint_text(name, findings), None)
        status = CheckError.exit_code if findings else status
    return status


def _lint(context: Context, name: str) -> tuple[LintFinding, ...] | None:
    """Return what the check `only-signed-images` objects to; None where everything is accepted."""
    found = built_policy(context, name)
    if not variant_demands(context.settings, name):
        accepted = context.settings.signing.accept_everything
        return lint_open(found.files, accepted=accepted) or None
    trust = host_trust_of(context.settings, context.config_path.parent)
    return lint(found, trust, context.settings.signing.table())
