"""`immutable-base ci-image`: the image of the jobs, from ci/Containerfile to its tags."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from immutable_base.ci_image.build import CiImage
from immutable_base.ci_image.verbs import Verb, carry_out
from immutable_base.cli.make_context import make_context
from immutable_base.cli.options import (
    add_candidate_argument,
    add_checkout_argument,
    add_context_arguments,
)
from immutable_base.process import heed_interrupts
from immutable_base.progress import Progress
from immutable_base.schedule import observed

ACTIONS: Mapping[Verb, str] = {
    "build": "build ci/Containerfile of this commit, and write the image's OCI layout",
    "check": "ask the image whether jobs can run in it, and look for keys and logins",
    "sbom": "write the SBOM of the image",
    "publish": "push, sign, attest, verify, and only then move the tags",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    for name, summary in ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        add_checkout_argument(action, "immutable-base")
        add_context_arguments(action)
        if name == "build":
            action.add_argument(
                "--base",
                metavar="REF",
                help="Debian image to build on (default: what ci/Containerfile says)",
            )
            add_candidate_argument(action, "`registry.candidates`")


def run(namespace: argparse.Namespace) -> int:
    """Carry one action out, and say what came out."""
    heed_interrupts()
    at = CiImage(context=make_context(namespace), folder=namespace.folder.resolve())
    with (
        Progress(verbose=namespace.verbose) as progress,
        observed(progress, namespace.action) as report,
    ):
        said = carry_out(
            at,
            namespace.action,
            report,
            base=getattr(namespace, "base", None),
            candidate=getattr(namespace, "candidate", False),
        )
    print(f"{namespace.action}: {said}")
    return 0
