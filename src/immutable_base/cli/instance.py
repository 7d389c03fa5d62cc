"""`immutable-base instance`: a repository downstream, from what changed to its published image."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    write_result,
)
from immutable_base.errors import EXIT_HELD
from immutable_base.instance.context import InstanceContext, load_instance_context
from immutable_base.instance.detect import detect_changes
from immutable_base.instance.verbs import Verb, carry_out
from immutable_base.log import log_to_terminal
from immutable_base.model.instance import InstanceOutcome
from immutable_base.process import heed_interrupts
from immutable_base.process import run as run_program
from immutable_base.progress import Progress
from immutable_base.report.instance import decision_dotenv, decision_text, result_text
from immutable_base.schedule import observed
from immutable_base.workspace import exclusive

STAGES: Mapping[Verb, str] = {
    "build": "build the image on the decided base, and write its OCI layout",
    "check": "read the image, and check that it keeps what its base promises",
    "sbom": "write the SBOM of the image",
    "publish": "push, sign, attest, verify, and only then move the tags",
}
DETECT = "verify the base, look at what is published, and decide whether to build"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    detect = _add(actions, "detect-changes", DETECT, _detect)
    detect.add_argument(
        "--force", action="store_true", help="build whatever is published (as IMMUTABLE_BASE_FORCE)"
    )
    detect.add_argument(
        "--dotenv",
        metavar="FILE",
        type=Path,
        help="also write the decision as variables for later jobs of a GitLab pipeline",
    )
    detect.add_argument(
        "--exit-held",
        action="store_true",
        help=f"end with exit code {EXIT_HELD} if the base is on hold, so that nothing can be built",
    )
    for name, summary in STAGES.items():
        stage = _add(actions, name, summary, _stage)
        if name == "build":
            stage.add_argument(
                "--candidate",
                action="store_true",
                help="push the image by digest to `candidates` below its repository, where later "
                "stages on other machines fetch it; no tag is made",
            )


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    function: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    action.add_argument(
        "folder",
        metavar="DIR",
        nargs="?",
        default=Path(),
        type=Path,
        help="checkout of the instance's repository (default: here)",
    )
    add_context_arguments(action)
    add_output_arguments(action)
    action.set_defaults(carry_out=function)
    return action


def run(namespace: argparse.Namespace) -> int:
    """Carry one action out, and return its exit code; not to build is no error."""
    log_to_terminal(verbose=namespace.verbose)
    heed_interrupts()
    code: int = namespace.carry_out(namespace)
    return code


def _context(namespace: argparse.Namespace) -> InstanceContext:
    return load_instance_context(
        namespace.folder, namespace.config, namespace.workspace, run_program, os.environ
    )


def _detect(namespace: argparse.Namespace) -> int:
    at = _context(namespace)
    with exclusive(at.workspace):
        decision = detect_changes(at, forced=namespace.force)
    if namespace.dotenv is not None:
        write_result(decision_dotenv(decision), namespace.dotenv)
    text = decision.to_json() if namespace.format == "json" else decision_text(decision)
    write_result(text, namespace.output)
    waits = decision.outcome is InstanceOutcome.WAIT
    return EXIT_HELD if waits and namespace.exit_held else 0


def _stage(namespace: argparse.Namespace) -> int:
    at = _context(namespace)
    with (
        Progress(verbose=namespace.verbose) as progress,
        observed(progress, namespace.action) as report,
    ):
        candidate = getattr(namespace, "candidate", False)
        result = carry_out(at, namespace.action, report, candidate=candidate)
    text = result.to_json() if namespace.format == "json" else result_text(result)
    write_result(text, namespace.output)
    return 0
