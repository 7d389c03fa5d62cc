"""`immutable-base lab host`: its actions, and what they print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial

from immutable_base.cli.contained import must_be_contained, run_again_contained
from immutable_base.config.boot import BootSettings
from immutable_base.process import heed_interrupts
from immutable_base.progress import Progress
from immutable_base.schedule import observed
from immutable_base_lab.hosts import change, console, power
from immutable_base_lab.hosts.create import NewHost, create, remove_host
from immutable_base_lab.hosts.decide import reference_of, require_stopped
from immutable_base_lab.hosts.folder import HostFolder, all_hosts, find_host
from immutable_base_lab.requirements import require_root
from immutable_base_lab.services import registry
from immutable_base_lab.services.daemons import become
from immutable_base_lab.services.service import Surroundings

ACTIONS = {
    "create": "install an image on the disk of a new host",
    "start": "start a host, and wait until it is up",
    "console": "sit at the serial console of a running host; Ctrl-] leaves",
    "ssh": "log in on a running host as root, or run one command there",
    "upgrade": "let a running host fetch an image and restart with it",
    "rollback": "let a running host restart with the image before",
    "stop": "switch a host off",
    "list": "show every host, what it was made of and whether it runs",
    "remove": "remove a host that is not running, with its disk",
}


def add_arguments(
    parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]
) -> None:
    """Add the actions and their options; `common` adds those that every command of the lab has."""
    actions = parser.add_subparsers(dest="host_action", metavar="ACTION", required=True)
    for name, summary in ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        common(action)
        if name == "list":
            action.add_argument("--format", choices=("text", "json"), default="text")
            continue
        action.add_argument("name", metavar="NAME", help="the host")
        _add_own(name, action)


def _add_own(name: str, action: argparse.ArgumentParser) -> None:
    if name in {"create", "upgrade"}:
        image = "a variant that the lab's registry has, such as tiny-metronome, or any reference"
        if name == "upgrade":
            image += " (default: the one that it was made with)"
        action.add_argument("--image", metavar="IMAGE", required=name == "create", help=image)
    if name == "create":
        usual = BootSettings()
        for option, unit, least, default in (
            ("--memory", "MIB", 512, usual.memory_mib), ("--cores", "N", 1, usual.cores),
        ):  # fmt: skip
            words = f"of its machine (default: {default})"
            kind = partial(_at_least, least)
            action.add_argument(option, type=kind, default=default, metavar=unit, help=words)
    if name == "ssh":
        words = "what it runs there; after NAME every word is its own"
        action.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help=words)


def _at_least(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of {least} or more")
    return int(text)


def run(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    """Do the action; return the exit code. `at` returns where the lab's services are."""
    return _ACTIONS[namespace.host_action](at, namespace)


def _create(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    require_root()
    if must_be_contained():
        return run_again_contained(namespace.arguments)
    heed_interrupts()
    found = at()
    new = NewHost(
        name=namespace.name,
        image=reference_of(namespace.image, registry.destination(found)),
        memory_mib=namespace.memory,
        cores=namespace.cores,
    )
    env = {"SSL_CERT_FILE": str(found.paths.ca_bundle)}
    with Progress() as progress, observed(progress, f"host {new.name}") as report:
        host = create(found.paths, new, env, report)
    print(f"{host.name} has {host.record.image} ({host.record.digest})")
    return 0


def _start(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    found, host = _of(at, namespace)
    with Progress() as progress, observed(progress, f"host {host.name}") as report:
        running = power.start(found.paths, host, found.address("registry"), report)
    print(f"{host.name} is up (process {running.daemon.pid}, {running.accelerator})")
    return 0


def _console(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    _, host = _of(at, namespace)
    print("Ctrl-] leaves the console; Enter shows a prompt", file=sys.stderr)
    console.attach(host)
    return 0


def _ssh(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    _, host = _of(at, namespace)
    argv = (*change.ssh_command(host), *namespace.words)
    become(argv, env={"TERM": os.environ.get("TERM", "dumb")})


def _upgrade(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    found, host = _of(at, namespace)
    wanted = namespace.image and reference_of(namespace.image, registry.destination(found))
    with Progress() as progress, observed(progress, f"host {host.name}") as report:
        digest = change.upgrade(found.paths, host, wanted, found.address("registry"), report)
    print(f"{host.name} runs {digest}")
    return 0


def _rollback(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    found, host = _of(at, namespace)
    with Progress() as progress, observed(progress, f"host {host.name}") as report:
        digest = change.rollback(found.paths, host, found.address("registry"), report)
    print(f"{host.name} runs {digest}")
    return 0


def _stop(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    _, host = _of(at, namespace)
    with Progress() as progress, observed(progress, f"host {host.name}") as report:
        by_itself = power.stop(host, report)
    print(f"{host.name} is off" + ("" if by_itself else "; it did not end by itself"))
    return 0


def _list(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    hosts = all_hosts(at().paths).values()
    if namespace.format == "json":
        print(json.dumps({"hosts": [_described(host) for host in hosts]}, indent=2))
        return 0
    for host in hosts:
        state = f"running, process {host.pid}" if host.pid else "off"
        print(f"{host.name:16} {state:24} {host.record.image}")
    if not hosts:
        print("no host yet: `immutable-base lab host create NAME --image IMAGE` makes one")
    return 0


def _described(host: HostFolder) -> dict[str, object]:
    running, record = host.running, host.record
    return {
        "name": host.name,
        "image": record.image,
        "digest": record.digest,
        "folder": str(host.path),
        "pid": running.daemon.pid if running else None,
        "ssh_port": running.ssh_port if running else None,
    }


def _remove(at: Callable[[], Surroundings], namespace: argparse.Namespace) -> int:
    found, host = _of(at, namespace)
    require_stopped(host.name, host.pid)
    remove_host(found.paths, host)
    print(f"{host.name} is removed")
    return 0


def _of(
    at: Callable[[], Surroundings], namespace: argparse.Namespace
) -> tuple[Surroundings, HostFolder]:
    found = at()
    return found, find_host(found.paths, namespace.name)


_ACTIONS: Mapping[str, Callable[[Callable[[], Surroundings], argparse.Namespace], int]] = {
    "create": _create,
    "start": _start,
    "console": _console,
    "ssh": _ssh,
    "upgrade": _upgrade,
    "rollback": _rollback,
    "stop": _stop,
    "list": _list,
    "remove": _remove,
}
