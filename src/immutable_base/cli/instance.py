"""`immutable-base instance`: a repository downstream, from what changed to its published image."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from immutable_base.cli.options import (
    add_candidate_argument,
    add_checkout_argument,
    add_context_arguments,
    add_output_arguments,
    write_result,
)
from immutable_base.errors import EXIT_HELD
from immutable_base.instance.ci_job import read_job
from immutable_base.instance.context import (
    FOLDER,
    InstanceContext,
    load_instance_context,
)
from immutable_base.instance.contract import load_contract, own_ref
from immutable_base.instance.doctor import examine_base, examine_repository
from immutable_base.instance.init import NewInstance, new_base, write_instance
from immutable_base.instance.instance_documents import REPORT, InstanceDocuments
from immutable_base.instance.report import report_instance, require_published
from immutable_base.instance.verbs import DETECT, Verb, carry_out, decide_now
from immutable_base.model.instance import InstanceOutcome
from immutable_base.process import heed_interrupts
from immutable_base.process import run as run_program
from immutable_base.progress import Progress
from immutable_base.report.instance import (
    decision_dotenv,
    decision_text,
    drift_text,
    instance_markdown,
    result_text,
)
from immutable_base.schedule import observed

STAGES: Mapping[Verb, str] = {
    "build": "build the image on the decided base, and write its OCI layout",
    "check": "read the image, and check that it keeps what its base promises",
    "sbom": "write the SBOM of the image",
    "publish": "push, sign, attest, verify, and only then move the tags",
}
OF_THE_TEMPLATE = "ref of the template (default: %(default)s)"
Actions = argparse._SubParsersAction  # noqa: SLF001  argparse has no other name for it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    _add_init(actions)
    doctor = _add(
        actions, "doctor", "compare a repository with the template's contract", _doctor, ()
    )
    doctor.add_argument(
        "--online", action="store_true", help="also verify the base, as detect-changes would"
    )
    doctor.add_argument("--ref", default=own_ref(), help=OF_THE_TEMPLATE)
    summary = "verify the base, look at what is published, and decide whether to build"
    detect = _add(actions, DETECT, summary, _detect, ())
    detect.add_argument(
        "--force", action="store_true", help="build whatever is published (as IMMUTABLE_BASE_FORCE)"
    )
    detect.add_argument(
        "--older-base",
        action="store_true",
        help="accept a base that was signed before that of the published image "
        "(as IMMUTABLE_BASE_OLDER_BASE)",
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
    for name, text in STAGES.items():
        stage = _add(actions, name, text, _stage, ())
        if name == "build":
            add_candidate_argument(stage, "`candidates` below its repository")
    _add(actions, "report", "tell how it ended, and what changed", _report, ("markdown",))


def _add(
    actions: Actions[argparse.ArgumentParser],
    name: str,
    summary: str,
    function: Callable[[argparse.Namespace], int],
    formats: tuple[str, ...],
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    add_checkout_argument(action, "the instance's repository")
    add_context_arguments(action)
    add_output_arguments(action, formats=("text", "json", *formats))
    action.set_defaults(carry_out=function)
    return action


def _add_init(actions: Actions[argparse.ArgumentParser]) -> None:
    summary = "write a repository to begin with; nothing is overwritten"
    init = actions.add_parser("init", help=summary, description=summary, allow_abbrev=False)
    init.add_argument("folder", metavar="DIR", type=Path, help="folder to write to")
    init.add_argument(
        "--base",
        metavar="REF",
        required=True,
        help="base image: a variant's name with --registry, or registry/path:tag",
    )
    init.add_argument(
        "--registry", metavar="PATH", default="", help="where base images are: host/path"
    )
    init.add_argument(
        "--destination",
        metavar="PATH",
        default="",
        help="where the instance is published (default: the GitLab project's own registry)",
    )
    init.add_argument(
        "--project",
        default=load_contract().project,
        help="GitLab project that has the template (default: %(default)s)",
    )
    init.add_argument("--ref", default=own_ref(), help=OF_THE_TEMPLATE)
    init.set_defaults(carry_out=_init)


def run(namespace: argparse.Namespace) -> int:
    """Carry one action out, and return its exit code; not to build is no error."""
    heed_interrupts()
    code: int = namespace.carry_out(namespace)
    return code


def _context(namespace: argparse.Namespace) -> InstanceContext:
    return load_instance_context(
        namespace.folder, namespace.config, namespace.workspace, run_program, os.environ
    )


def _detect(namespace: argparse.Namespace) -> int:
    at = _context(namespace)
    decision = decide_now(at, forced=namespace.force, older_base=namespace.older_base)
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


def _report(namespace: argparse.Namespace) -> int:
    documents = InstanceDocuments(namespace.workspace.resolve() / FOLDER)
    report = report_instance(documents)
    documents.write(REPORT, report)
    text = report.to_json() if namespace.format == "json" else instance_markdown(report)
    write_result(text, namespace.output)
    require_published(report, read_job(os.environ))
    return report.exit_code


def _init(namespace: argparse.Namespace) -> int:
    new = NewInstance(
        base=new_base(namespace.base, namespace.registry),
        project=namespace.project,
        ref=namespace.ref,
        destination=namespace.destination,
    )
    names = write_instance(namespace.folder, new)
    print(f"wrote {', '.join(names)} to {namespace.folder}")
    print(
        "next: commit and push it; in GitLab protect the default branch and add a pipeline schedule"
    )
    return 0


def _doctor(namespace: argparse.Namespace) -> int:
    found = examine_repository(namespace.folder.resolve(), namespace.ref)
    if namespace.online and not any(drift.exit_code for drift in found):
        found = (*found, examine_base(_context(namespace)))
    if namespace.format == "json":
        text = json.dumps([asdict(drift) for drift in found], indent=2)
    else:
        text = drift_text([(it.name, it.problem, it.fix) for it in found])
    write_result(text, namespace.output)
    return max(drift.exit_code for drift in found)
