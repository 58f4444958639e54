"""A PostgreSQL of the test session's own, from Debian's programs. Loopback only, thrown away at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

USER = "ingest"
SETTINGS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=60")


def programs() -> Path | None:
    """The folder of the newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def running(bin: Path) -> Iterator[str]:
    """Start a server; yields the URL of its ``postgres`` database; stops it and removes its files."""
    folder = Path(tempfile.mkdtemp(prefix="ingest-postgres-"))
    try:
        data, port = folder / "data", _free_port()
        if os.geteuid() == 0:
            os.chown(folder, _account().pw_uid, _account().pw_gid)
        _run(
            bin / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
        options += " ".join(f"-c {setting}" for setting in SETTINGS)
        _run(bin / "pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "-t", "60", "start")
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            _run(bin / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(server: str) -> Iterator[str]:
    """A new empty database on the server; yields its URL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(
        server.replace("postgresql://", "postgresql+psycopg2://"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} STRATEGY = FILE_COPY"))
            yield server.rpartition("/")[0] + "/" + name
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


def _run(*command: object) -> None:
    """Run one of the programs as somebody else than root, who may not run PostgreSQL."""
    other = {"user": _account().pw_uid, "group": _account().pw_gid, "extra_groups": []}
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        cwd="/",
        env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
        timeout=120,
        check=False,
        **(other if os.geteuid() == 0 else {}),
    )
    if done.returncode:
        raise OSError(f"{command[0]}: status {done.returncode}: {done.stderr.decode(errors='replace')}")


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
