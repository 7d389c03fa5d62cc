"""Trillian: the verifiable log below Rekor and the CT log, as a server and a signer."""

from __future__ import annotations

from functools import partial

from immutable_base.errors import CommandError
from immutable_base.process import Command, Runner, run
from immutable_base.workspace import write_atomically
from immutable_base_lab.core.files import write_private
from immutable_base_lab.services.database import connection_uri
from immutable_base_lab.services.service import Launch, Service, Surroundings, http_probe

LOG_SERVER = "trillian-log-server"
LOG_SIGNER = "trillian-log-signer"


def _prepare(at: Surroundings, name: str, *more: str) -> Launch:
    flags = at.paths.services / "trillian.flags"
    # It holds the database's password.
    write_private(flags, f"--mysql_uri={connection_uri(at)} --quota_system=noop\n")
    program = at.paths.programs.program(name.replace("-", "_"))
    argv = (
        str(program), f"--config={flags}", "--logtostderr",
        f"--rpc_endpoint={at.address(name)}", f"--http_endpoint={at.address(f'{name}-http')}",
        *more,
    )  # fmt: skip
    probe = http_probe(f"{at.url(f'{name}-http')}/healthz")
    return Launch(argv=argv, probe=probe, inputs=(flags,))


def ensure_tree(at: Surroundings, log: str, *, runner: Runner = run) -> int:
    """Return the number of a log's tree in the database; make the tree if there is none.

    The number is stored beside the data that it belongs to. Raises CommandError if Trillian
    refuses.
    """
    file = at.paths.database / f"tree-{log}"
    if file.exists():
        return int(file.read_text())
    program = str(at.paths.programs.program("createtree"))
    argv = (program, f"--admin_server={at.address(LOG_SERVER)}", "--logtostderr")
    made = runner(Command(argv=argv, timeout=60)).text.strip()
    if not made.isdigit():
        raise CommandError(f"the log of {log} got no tree", details=made)
    write_atomically(file, made)
    return int(made)


SERVER = Service(
    name=LOG_SERVER,
    ports=(LOG_SERVER, f"{LOG_SERVER}-http"),
    prepare=partial(_prepare, name=LOG_SERVER),
)
SIGNER = Service(
    name=LOG_SIGNER,
    ports=(LOG_SIGNER, f"{LOG_SIGNER}-http"),
    prepare=lambda at: _prepare(
        at, LOG_SIGNER, "--force_master", "--sequencer_interval=200ms", "--batch_size=100"
    ),
)
