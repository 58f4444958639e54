"""PostgreSQL from the system's packages: a cluster of our own, and fresh databases in it. Loopback only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from ingest_project.core.errors import ConfigurationError
from ingest_project.local.cache import ServerMissing
from ingest_project.local.ports import LOOPBACK
from ingest_project.local.servers import PROBE_SECONDS, Place, Server

USER = "ingest"
THROW_AWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""Settings for a cluster whose data nobody keeps: faster, and lost with the power."""


def _programs(cache: Path) -> Path:
    """The folder of the newest installed server's programs: Debian's place, else the search path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if (there := shutil.which("initdb")) is not None:
        return Path(there).resolve().parent
    raise ServerMissing("PostgreSQL is not installed (Debian: apt-get install postgresql)")


def _account() -> str:
    """PostgreSQL refuses to run as root: the system's account for it, else nobody."""
    if os.geteuid() != 0:
        return ""
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


def _command(place: Place) -> Sequence[str]:
    data = place.folder / "data"
    if not data.exists():
        _make_cluster(place)
    settings = {
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "max_connections": "60",
        **place.settings,
    }
    flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [str(place.program / "postgres"), "-D", str(data), "-p", str(place.ports["http"]), *flags]


def _make_cluster(place: Place) -> None:
    """initdb into a draft that gets its name when it is whole."""
    account, draft = _account(), place.folder / "data.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if account:
        shutil.chown(draft, account)
    _require_reach(draft, account)
    words = [place.program / "initdb", "-D", draft, "-U", USER, "-A", "trust", "-E", "UTF8"]
    done = subprocess.run(
        [*map(str, words), "--locale=C.UTF-8", "--no-sync"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
        timeout=120,
        check=False,
        user=account or None,
        extra_groups=[] if account else None,
    )
    if done.returncode:
        raise ConfigurationError(f"initdb: {done.stderr.decode(errors='replace').strip()}")
    draft.rename(place.folder / "data")


def _require_reach(folder: Path, account: str) -> None:
    """Say it plainly when the account may not enter a folder above its data."""
    for above in folder.parents if account else ():
        if not above.stat().st_mode & 0o001:
            raise ConfigurationError(
                f"PostgreSQL runs as {account}, who may not enter {above}: "
                f"set INGEST_HOME to a folder that others may enter"
            )


def _engine(url: str) -> Engine:
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg2://"),
        isolation_level="AUTOCOMMIT",
        connect_args={"connect_timeout": int(PROBE_SECONDS)},
        # The server may be another one by the next question.
        pool_pre_ping=True,
    )


def _ask(port: int, question: str) -> str:
    engine = _engine(SERVER.url(port))
    try:
        with engine.connect() as connection:
            return str(connection.execute(text(question)).scalar_one())
    finally:
        engine.dispose()


def _problem(port: int) -> str | None:
    try:
        _ask(port, "SELECT 1")
    except SQLAlchemyError as error:
        return f"no answer on port {port}: {error}"
    return None


def ensure_database(server: str, name: str) -> str:
    """Make a database unless it is there; its URL.

    Args:
        server: URL of any database of the server.
        name: Small letters and underscores.
    """
    engine = _engine(server)
    try:
        with engine.connect() as connection:
            known = text("SELECT count(*) FROM pg_database WHERE datname = :name")
            if not connection.execute(known, {"name": name}).scalar_one():
                connection.execute(text(f"CREATE DATABASE {name}"))
    finally:
        engine.dispose()
    return server.rpartition("/")[0] + "/" + name


@contextmanager
def database(server: str) -> Iterator[str]:
    """A new empty database on the server; yields its URL, drops it in the end.

    Args:
        server: URL of any database of the server.
    """
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = _engine(server)
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} STRATEGY = FILE_COPY"))
        yield server.rpartition("/")[0] + "/" + name
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


SERVER = Server(
    name="postgresql",
    title="PostgreSQL",
    ports={"http": 5433},
    obtain=_programs,
    command=_command,
    problem=_problem,
    version=lambda port, program: _ask(port, "SHOW server_version").split()[0],
    grace=20.0,
    # A fast shutdown: the polite one waits for every client to leave.
    parting="INT",
    torn="QUIT",
    account=_account,
    keeps_data=True,
    note="keeps its databases in the state folder",
    address=f"postgresql://{USER}@{{host}}:{{port}}/postgres",
)
