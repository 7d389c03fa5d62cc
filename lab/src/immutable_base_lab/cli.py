"""`immutable-base lab`: everything remote, on loopback."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from immutable_base.errors import HostError
from immutable_base.log import log_to_file
from immutable_base.process import heed_interrupts
from immutable_base.progress import Progress
from immutable_base_lab.core.paths import LabPaths, default_state
from immutable_base_lab.hosts import command as host_command
from immutable_base_lab.lab import QUIET_SECONDS, Lab
from immutable_base_lab.pipelines.pipeline import (
    SOURCES,
    Pipeline,
    configuration_variable,
    pipeline_environment,
    prepare,
    run_jobs,
)
from immutable_base_lab.pipelines.projects import publish_templates
from immutable_base_lab.programs.go_pins import GO_PROGRAMS
from immutable_base_lab.scenarios.scenario import FULL, SCENARIOS, find_scenario, listing
from immutable_base_lab.services.issuer import DEFAULTS

ACTIONS = {
    "up": "build what is missing and start all services; safe to repeat",
    "scenario": "set up a situation, such as a tiny stream or a fault; `list` shows them",
    "status": "show services and whether they run",
    "env": 'print what a shell has to export to work in the lab: `eval "$(... lab env)"`',
    "token": "print a token as a GitLab CI job gets it",
    "host": "keep machines with an image: start, upgrade and look at them by hand",
    "pipeline": "run the pipeline of a repository, as GitLab and its runners would",
    "tools": "build the programs only, such as cosign and syft",
    "down": "end all services; what was built stays for the next `up`",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    parsers = [
        (name, actions.add_parser(name, help=summary, description=summary, allow_abbrev=False))
        for name, summary in ACTIONS.items()
    ]
    # What `up` starts in namespaces of its own; no action for people, so it shows no help.
    parsers.append(("make", actions.add_parser("make", allow_abbrev=False)))
    for name, action in parsers:
        if name == "host":
            host_command.add_arguments(action, _add_common)
            continue
        _add_common(action)
        _add_own(name, action)


def _add_common(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--state",
        type=Path,
        default=default_state(),
        help="the lab's folder (default: immutable-base/lab below $XDG_STATE_HOME)",
    )
    action.add_argument("-v", "--verbose", action="store_true", help="show what is done")


def _add_own(name: str, action: argparse.ArgumentParser) -> None:
    if name in {"up", "scenario", "pipeline"}:
        action.add_argument(
            "--product",
            type=Path,
            default=Path("immutable-base.toml"),
            help="configuration from which the lab's is made (default: immutable-base.toml here)",
        )
    if name == "scenario":
        names = ", ".join(["list", *(it.name for it in SCENARIOS)])
        action.add_argument("scenario", metavar="NAME", help=names)
    if name in {"env", "make", "pipeline"}:
        action.add_argument(
            "--scenario", metavar="NAME", default=FULL.name, help="(default: what `up` sets up)"
        )
    if name == "pipeline":
        _add_pipeline(action)
    if name == "status":
        action.add_argument("--format", choices=("text", "json"), default="text")
    if name in {"env", "token"}:
        for claim, default in DEFAULTS.items():
            option = f"--{claim.replace('_', '-')}"
            action.add_argument(option, dest=claim, default=default, help=f"(default: {default})")
    if name in {"tools", "make"}:
        known = [program.name for program in GO_PROGRAMS]
        action.add_argument("program", nargs="*", metavar="PROGRAM", help=", ".join(known))


def _add_pipeline(action: argparse.ArgumentParser) -> None:
    action.add_argument("job", nargs="*", metavar="JOB", help="only this job and what it needs")
    action.add_argument(
        "--only",
        action="store_true",
        help="not what it needs: its artifacts are in the checkout's .gitlab-ci-local, as another "
        "runner has left them",
    )
    action.add_argument(
        "--folder", type=Path, default=Path(), help="checkout of the repository (default: here)"
    )
    action.add_argument(
        "--source", choices=SOURCES, default="schedule", help="what starts it (default: schedule)"
    )
    action.add_argument(
        "--unprotected", action="store_true", help="as on a branch that is not protected"
    )
    action.add_argument(
        "--variable",
        action="append",
        default=[],
        type=_variable,
        metavar="NAME=VALUE",
        help="a variable of the pipeline; may be repeated",
    )
    action.add_argument("--list", action="store_true", help="list its jobs (JSON); run none")


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.isidentifier() and equals):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value


def run(namespace: argparse.Namespace) -> int:
    """Do the action; return the exit code."""
    lab = Lab(LabPaths(root=namespace.state.resolve()))
    return _ACTIONS[namespace.action](lab, namespace)


def _up(lab: Lab, namespace: argparse.Namespace) -> int:
    product = namespace.product.resolve()
    status = lab.up(product, verbose=namespace.verbose)
    if status == 0:
        publish_templates(lab.paths, product.parent)
        command = f"{Path(sys.argv[0]).name} lab env --state {lab.paths.root}"
        print(f'the lab is up; next: eval "$({command})"', file=sys.stderr)
    return status


def _scenario(lab: Lab, namespace: argparse.Namespace) -> int:
    if namespace.scenario == "list":
        print(listing(), end="")
        return 0
    scenario, product = find_scenario(namespace.scenario), namespace.product.resolve()
    status = lab.up(product, scenario=scenario, verbose=namespace.verbose)
    if status == 0:
        publish_templates(lab.paths, product.parent)
        options = f"--scenario {scenario.name} --state {lab.paths.root}"
        command = f"{Path(sys.argv[0]).name} lab env {options}"
        print(f'scenario {scenario.name} is up; next: eval "$({command})"', file=sys.stderr)
    return status


def _pipeline(lab: Lab, namespace: argparse.Namespace) -> int:
    scenario = find_scenario(namespace.scenario)
    pipeline = Pipeline(
        folder=namespace.folder.resolve(),
        source=namespace.source,
        protected=not namespace.unprotected,
    )
    variables = {**configuration_variable(lab, pipeline, scenario), **dict(namespace.variable)}
    pipeline = replace(pipeline, variables=variables)
    env = {"PATH": _path(lab), **pipeline_environment(lab, pipeline, scenario)}
    publish_templates(lab.paths, namespace.product.resolve().parent)
    command = prepare(lab, pipeline)
    needs = () if namespace.only else ("--needs",)
    jobs = (*needs, *namespace.job) if namespace.job else ()
    words = ("--list-json",) if namespace.list else jobs
    return run_jobs((*command, *words), pipeline.folder, env, partial(print, flush=True))


def _host(lab: Lab, namespace: argparse.Namespace) -> int:
    return host_command.run(lab.surroundings, namespace)


def _tools(lab: Lab, namespace: argparse.Namespace) -> int:
    known = [program.name for program in GO_PROGRAMS]
    for name in namespace.program:
        if name not in known:
            raise HostError(
                f"there is no program `{name}` in the lab",
                hint=f"the programs are: {', '.join(known)}",
            )
    status = lab.build_programs(namespace.program or known, verbose=namespace.verbose)
    if status == 0:
        print(lab.paths.programs.bin)
    return status


def _make(lab: Lab, namespace: argparse.Namespace) -> int:
    heed_interrupts()
    log_to_file(lab.paths.log / "make.log")
    with Progress(quiet_below=QUIET_SECONDS) as progress:
        lab.make(namespace.program, progress, scenario=find_scenario(namespace.scenario))
    return 0


def _status(lab: Lab, namespace: argparse.Namespace) -> int:
    services, missing = lab.status(), lab.missing()
    if namespace.format == "json":
        document = {
            "state": str(lab.paths.root),
            "services": [asdict(service) for service in services],
            "missing": missing,
        }
        print(json.dumps(document, indent=2))
        return 0
    for service in services:
        state = f"running, process {service.pid}" if service.alive else "not running"
        listening = " ".join(map(str, service.ports))
        print(f"{service.name:22} {state:26} {listening}")
    print(f"not made yet: {', '.join(missing) or 'nothing'}")
    return 0


def _env(lab: Lab, namespace: argparse.Namespace) -> int:
    scenario = find_scenario(namespace.scenario)
    variables = {
        "PATH": _path(lab),
        **lab.environment(_claims(namespace), scenario=scenario),
    }
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _path(lab: Lab) -> str:
    """Return a PATH with the lab's programs and our own first."""
    folders = [str(lab.paths.programs.bin), str(Path(sys.executable).parent)]
    rest = [it for it in os.environ.get("PATH", "").split(":") if it not in folders]
    return ":".join([*folders, *rest])


def _token(lab: Lab, namespace: argparse.Namespace) -> int:
    print(lab.token(**_claims(namespace)))
    return 0


def _down(lab: Lab, _namespace: argparse.Namespace) -> int:
    with Progress(quiet_below=QUIET_SECONDS) as progress:
        lab.down(progress)
    return 0


def _claims(namespace: argparse.Namespace) -> dict[str, str]:
    return {claim: getattr(namespace, claim) for claim in DEFAULTS}


_ACTIONS: Mapping[str, Callable[[Lab, argparse.Namespace], int]] = {
    "up": _up,
    "scenario": _scenario,
    "status": _status,
    "env": _env,
    "host": _host,
    "pipeline": _pipeline,
    "token": _token,
    "tools": _tools,
    "make": _make,
    "down": _down,
}
