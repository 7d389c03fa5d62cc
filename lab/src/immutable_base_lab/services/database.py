"""MariaDB for the transparency log: its own data folder, one user, loopback only."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from immutable_base.errors import HostError
from immutable_base.process import Command, Runner, run
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.services.service import Launch, Service, Surroundings

NAME = "trillian"
"""Of the database and of its user."""
SCHEMA = "trillian/storage/mysql/schema/storage.sql"
"""Trillian's tables, below the folder of what came with the programs' sources."""
# Debian 12 and 13 name the folder of MariaDB's own tables differently.
_TABLE_FOLDERS = (Path("/usr/share/mysql"), Path("/usr/share/mariadb"))
# Stem of the file names: what `mariadb-install-db` loads, without help texts and the sys schema.
# That program itself gives files below /usr another mode, which is not ours to change.
_TABLE_FILES = ("system_tables", "performance_tables", "system_tables_data")


def ensure_database(paths: LabPaths, schema: Path, *, runner: Runner = run) -> None:
    """Make the data folder with an empty database of the transparency log, unless it is there.

    Raises HostError if MariaDB is not installed, CommandError if it refuses the tables.
    """
    password = (paths.keys / "database.password").read_text()

    def make(folder: Path) -> None:
        data = folder / "data"
        data.mkdir()
        sql = "\n".join([_own_tables(), _log_tables(schema.read_text(), password)])
        argv = ("mariadbd", "--no-defaults", *_account(), f"--datadir={data}", "--bootstrap")
        runner(Command(argv=argv, stdin=sql.encode(), timeout=300, secrets=(password,)))

    cache.ensure(paths.database, _key(password), make)


def is_made(paths: LabPaths) -> bool:
    """Tell whether the data folder is there, made with the present password."""
    return cache.is_made(paths.database, _key((paths.keys / "database.password").read_text()))


def _key(password: str) -> str:
    return cache.key_of("database", 1, password)


def _prepare(at: Surroundings) -> Launch:
    paths, port = at.paths, at.ports["database"]
    ensure_database(paths, paths.programs.share / SCHEMA)
    argv = (
        "mariadbd", "--no-defaults", *_account(), f"--datadir={paths.database}/data",
        f"--bind-address={LOOPBACK}", f"--port={port}", "--socket=mariadb.sock",
        "--skip-name-resolve", "--skip-log-bin", "--innodb-buffer-pool-size=64M",
        # A crash of the machine may cost the last second; `lab` is not a bank.
        "--innodb-flush-log-at-trx-commit=2",
    )  # fmt: skip
    return Launch(argv=argv, probe=_greeting_probe(port))


SERVICE = Service(
    name="database",
    ports=("database",),
    prepare=_prepare,
    must_stop=lambda at: not is_made(at.paths),
    grace=60,
    stops_last=True,
)


def connection_uri(at: Surroundings) -> str:
    """Return the address of the database as Go's driver for MySQL takes it."""
    password = (at.paths.keys / "database.password").read_text()
    return f"{NAME}:{password}@tcp({at.address('database')})/{NAME}"


def _account() -> tuple[str, ...]:
    # mariadbd asks for this before it runs as root, which the lab does.
    return ("--user=root",)


def _own_tables() -> str:
    folder = next(
        (it for it in _TABLE_FOLDERS if (it / _table_file(it, "system_tables")).exists()), None
    )
    if folder is None:
        raise HostError(
            "MariaDB's own tables are not installed",
            hint="apt-get install mariadb-server-core",
        )
    texts = [(folder / _table_file(folder, stem)).read_text() for stem in _TABLE_FILES]
    head = "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket='root';"
    return "\n".join([head, *texts])


def _table_file(folder: Path, stem: str) -> str:
    return f"{folder.name}_{stem}.sql"


def _log_tables(schema: str, password: str) -> str:
    user = f"{NAME}@'{LOOPBACK}'"
    return "\n".join(
        [
            f"CREATE DATABASE {NAME};",
            f"USE {NAME};",
            schema,
            # Accounts can only be made once the tables that were just made are in use.
            "FLUSH PRIVILEGES;",
            f"CREATE USER {user} IDENTIFIED BY '{password}';",
            f"GRANT ALL ON {NAME}.* TO {user};",
        ]
    )


def _greeting_probe(port: int) -> Callable[[], None]:
    def probe() -> None:
        with socket.create_connection((LOOPBACK, port), timeout=5) as connection:
            if not connection.recv(1):
                raise ConnectionError("the connection was closed")

    return probe
