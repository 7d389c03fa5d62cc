"""`immutable-base lab`: everything remote, on loopback."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from immutable_base.errors import HostError
from immutable_base.log import log_to_file, log_to_terminal
from immutable_base.process import run_contained
from immutable_base_lab import content
from immutable_base_lab.core.paths import LabPaths, default_state
from immutable_base_lab.core.schedule import run_graph
from immutable_base_lab.core.state import locked
from immutable_base_lab.lab import Lab
from immutable_base_lab.programs import steps
from immutable_base_lab.programs.go_build import GoBuilder
from immutable_base_lab.programs.go_pins import GO_PROGRAMS
from immutable_base_lab.requirements import require_ready, require_root
from immutable_base_lab.services.issuer import DEFAULTS, identity
from immutable_base_lab.terminal import TerminalProgress

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

ACTIONS = {
    "up": "make what is missing and start every service; again after an interruption",
    "status": "show services and whether they run",
    "env": 'print what a shell has to export to work in the lab: `eval "$(... lab env)"`',
    "token": "print a token as a GitLab CI job gets it",
    "tools": "build the programs only, such as cosign and syft",
    "down": "end every service; what was made stays for the next `up`",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    parsers = [
        (name, actions.add_parser(name, help=words, description=words, allow_abbrev=False))
        for name, words in ACTIONS.items()
    ]
    # What `up` starts in namespaces of its own; no action for people, so it shows no help.
    parsers.append(("make", actions.add_parser("make", allow_abbrev=False)))
    for name, action in parsers:
        action.add_argument(
            "--state",
            type=Path,
            default=default_state(),
            help="the lab's folder (default: immutable-base/lab below $XDG_STATE_HOME)",
        )
        action.add_argument("-v", "--verbose", action="store_true", help="show what is done")
        _add_own(name, action)


def _add_own(name: str, action: argparse.ArgumentParser) -> None:
    if name == "up":
        action.add_argument(
            "--product",
            type=Path,
            default=Path("immutable-base.toml"),
            help="configuration from which the lab's is made (default: immutable-base.toml here)",
        )
    if name == "status":
        action.add_argument("--format", choices=("text", "json"), default="text")
    if name in {"env", "token"}:
        for claim, default in DEFAULTS.items():
            option = f"--{claim.replace('_', '-')}"
            action.add_argument(option, dest=claim, default=default, help=f"(default: {default})")
    if name in {"tools", "make"}:
        known = [program.name for program in GO_PROGRAMS]
        action.add_argument("program", nargs="*", metavar="PROGRAM", help=", ".join(known))


def run(namespace: argparse.Namespace) -> int:
    """Do the action; return the exit code."""
    paths = LabPaths(root=namespace.state.resolve())
    log_to_terminal(verbose=namespace.verbose)
    return _ACTIONS[namespace.action](paths, namespace)


def _up(paths: LabPaths, namespace: argparse.Namespace) -> int:
    require_ready(paths.root, first_time=bool(list(steps.program_nodes(paths))))
    with locked(paths.lock_file):
        log_to_file(paths.log / "lab.log")
        lab = Lab(paths)
        lab.prepare()
        status = _make_contained(paths, namespace, ())
        if status != 0:
            return status
        with TerminalProgress() as progress:
            lab.start_services(progress)
            at = lab.addresses()
            with progress.step("base images into the registry") as step:
                content.publish_bases(paths, at.registry, step)
            content.write_configuration(paths, at, namespace.product.resolve())
    print(
        f'the lab is up; next: eval "$({_program()} lab env --state {paths.root})"', file=sys.stderr
    )
    return 0


def _tools(paths: LabPaths, namespace: argparse.Namespace) -> int:
    _demand_known(namespace.program)
    require_root()
    with locked(paths.lock_file):
        named = namespace.program or [program.name for program in GO_PROGRAMS]
        status = _make_contained(paths, namespace, tuple(named))
    if status == 0:
        print(paths.programs.bin)
    return status


def _make_contained(
    paths: LabPaths, namespace: argparse.Namespace, programs: tuple[str, ...]
) -> int:
    """Make pieces where no process and no mount can outlive us."""
    verbose = ("--verbose",) if namespace.verbose else ()
    argv = (
        sys.executable,
        "-m",
        "immutable_base",
        "lab",
        "make",
        f"--state={paths.root}",
        *verbose,
    )
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return run_contained((*argv, *programs))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _make(paths: LabPaths, namespace: argparse.Namespace) -> int:
    log_to_file(paths.log / "make.log")
    with TerminalProgress() as progress:
        nodes = steps.missing(paths, namespace.program)
        if not namespace.program:
            nodes += content.content_nodes(paths)
        run_graph(nodes, progress)
    builder = GoBuilder(tools=paths.tools)
    builder.link()
    if not list(steps.program_nodes(paths)):
        builder.clear_caches()
    return 0


def _status(paths: LabPaths, namespace: argparse.Namespace) -> int:
    services = Lab(paths).status()
    missing = [node.name for node in steps.missing(paths) if not node.name.startswith("download")]
    missing += [node.name for node in content.content_nodes(paths) if node.usual_seconds]
    if namespace.format == "json":
        document = {
            "state": str(paths.root),
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


def _env(paths: LabPaths, namespace: argparse.Namespace) -> int:
    lab, trust, claims = Lab(paths), paths.trust, _claims(namespace)
    at = lab.addresses()
    folders = [str(paths.programs.bin), str(Path(sys.executable).parent)]
    rest = [it for it in os.environ.get("PATH", "").split(":") if it not in folders]
    variables: Mapping[str, str] = {
        "PATH": ":".join([*folders, *rest]),
        "IMMUTABLE_BASE_CONFIG": str(paths.configuration),
        "SIGSTORE_ID_TOKEN": lab.token(**claims),
        # For cosign by hand, and for the README's examples; the product reads its configuration.
        "IMMUTABLE_BASE_REGISTRY": f"{at.registry}/immutable-base",
        "IMMUTABLE_BASE_IDENTITY": identity(claims),
        "IMMUTABLE_BASE_ISSUER": at.issuer,
        "SIGSTORE_ROOT_FILE": str(trust / "fulcio.pem"),
        "SIGSTORE_REKOR_PUBLIC_KEY": str(trust / "rekor.pub"),
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(trust / "ctlog.pub"),
        "SSL_CERT_FILE": str(paths.ca_bundle),
    }
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _token(paths: LabPaths, namespace: argparse.Namespace) -> int:
    print(Lab(paths).token(**_claims(namespace)))
    return 0


def _down(paths: LabPaths, _namespace: argparse.Namespace) -> int:
    if not paths.root.exists():
        return 0
    with locked(paths.lock_file), TerminalProgress() as progress:
        Lab(paths).down(progress)
    return 0


def _claims(namespace: argparse.Namespace) -> dict[str, str]:
    return {claim: getattr(namespace, claim) for claim in DEFAULTS}


def _demand_known(names: list[str]) -> None:
    known = [program.name for program in GO_PROGRAMS]
    for name in names:
        if name not in known:
            message = f"there is no program `{name}` in the lab"
            raise HostError(message, hint=f"the programs are: {', '.join(known)}")


def _program() -> str:
    return Path(sys.argv[0]).name


_ACTIONS: Mapping[str, Callable[[LabPaths, argparse.Namespace], int]] = {
    "up": _up,
    "status": _status,
    "env": _env,
    "token": _token,
    "tools": _tools,
    "make": _make,
    "down": _down,
}
