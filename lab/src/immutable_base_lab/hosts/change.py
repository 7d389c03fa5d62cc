"""What a running host is told: a command, another image, the one before."""

from __future__ import annotations

from immutable_base.boot.questions import BOOTED_DIGEST
from immutable_base.errors import CommandError, HostError
from immutable_base.model.reference import Reference
from immutable_base.process import Command, LineSink, run
from immutable_base.tools import ssh
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.hosts.decide import (
    STATUS,
    deployments,
    earlier,
    require_running,
    rollback_command,
    upgrade_command,
)
from immutable_base_lab.hosts.folder import HostFolder
from immutable_base_lab.hosts.power import restart

ANSWERS, TRANSFERS = 120.0, 1800.0
"""Seconds for a question to a host, and for an image that it fetches; without KVM."""


def ssh_command(host: HostFolder) -> tuple[str, ...]:
    """Return the command that logs in on a host that runs. Raises HostError if it does not."""
    running = host.running
    require_running(host.name, running.daemon.pid if running else None)
    port = running.ssh_port if running else 0
    return ssh.login(host.key, port, known_hosts=host.path / "known_hosts")


def ask(host: HostFolder, command: str, *, seconds: float = ANSWERS) -> str:
    """Run a command on a host and return what it printed. Raises HostError, CommandError."""
    try:
        return run(Command(argv=(*ssh_command(host), command), timeout=seconds)).text.strip()
    except CommandError as error:
        raise CommandError(
            f"`{command}` failed on the host `{host.name}`",
            details=error.details or error.message,
            hint=f"look at it: `immutable-base lab host ssh {host.name}`",
        ) from error


def booted_digest(host: HostFolder) -> str:
    """Return the digest of the image that a host runs, as ostree knows it."""
    return ask(host, BOOTED_DIGEST).strip("'")


def upgrade(
    paths: LabPaths, host: HostFolder, reference: str | None, registry: str, report: LineSink
) -> str:
    """Let a host fetch an image and start it; return the digest that it then runs.

    `reference`: None for the one that it was made with. Raises HostError if it does not run or
    would stay at one digest, CommandError if it refuses the image, or does not come up with it.
    """
    wanted = reference or host.record.image
    if reference is None and Reference.parse(wanted).digest is not None:
        raise HostError(
            f"the host `{host.name}` was made with one digest, which has no newer image",
            hint="name another image with --image",
        )
    report(f"fetching {wanted}")
    ask(host, upgrade_command(wanted), seconds=TRANSFERS)
    restart(paths, host, registry, report)
    return booted_digest(host)


def rollback(paths: LabPaths, host: HostFolder, registry: str, report: LineSink) -> str:
    """Let a host start its earlier image, from now on; return the digest that it then runs.

    Raises HostError if it does not run or has none, CommandError.
    """
    number = earlier(host.name, deployments(ask(host, STATUS)))
    report(ask(host, rollback_command(number)))
    restart(paths, host, registry, report)
    return booted_digest(host)
