"""What a server of this machine is: how it is obtained, called, asked for its health, and stopped.

The type and the probes only. Which servers there are is in catalogue.py; services.py starts and stops them.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest_project.local.ports import LOOPBACK

ACCESS_KEY = "ingest-local"
SECRET_KEY = "ingest-local-secret"
"""Credentials of the embedded S3 server; they open nothing but a loopback port of this machine."""

PROBE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and with what one server is about to run.

    Attributes:
        folder: The server's own folder, for its data and configuration.
        program: What ``Server.obtain`` gave.
        settings: Words of the server's own configuration, which override ours.
    """

    folder: Path
    ports: Mapping[str, int]
    program: Path
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How one server is run.

    Attributes:
        serves: What it can stand for in a deployment: ``s3``, ``dynamodb``, ``opensearch`` or "".
        ports: Usual port of each listener; ``http`` is the one that clients use, whatever its protocol.
        obtain: (cache folder) -> its program or folder, fetched when need be; raises ServerMissing.
        command: Its place -> the command line; makes what has to be there before the start.
        problem: (http port) -> why it does not serve yet, or None.
        version: (http port, program) -> what runs, by its own word where it tells.
        grace: Seconds a clean stop may take.
        parting: The signal that asks it to stop.
        torn: The signal it gets when the process that it is tied to ends.
        account: Name -> the user it must run as when the caller is root; "" is the caller.
        optional: It may be lacking also where all servers are required: Debian has not what it needs.
        address: Form of its URL.
    """

    name: str
    title: str
    serves: str = ""
    ports: Mapping[str, int]
    obtain: Callable[[Path], Path]
    command: Callable[[Place], Sequence[str]]
    problem: Callable[[int], str | None]
    version: Callable[[int, Path], str]
    grace: float = 5.0
    parting: str = "TERM"
    torn: str = "KILL"
    account: Callable[[], str] = str
    keeps_data: bool = False
    optional: bool = False
    note: str
    address: str = "http://{host}:{port}"

    def url(self, port: int) -> str:
        """Where clients find it."""
        return self.address.format(host=LOOPBACK, port=port)


def answer(
    port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> tuple[int, bytes]:
    """One HTTP exchange with a loopback server: status and the first 64 KB of the body."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_SECONDS)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read(65536)
    finally:
        connection.close()


def probe(
    port: int,
    method: str,
    path: str,
    wanted: bytes = b"",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> str | None:
    """Why the server does not answer 200 with ``wanted`` in it, or None."""
    try:
        status, text = answer(port, method, path, headers, body)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer on port {port}: {error}"
    if status != 200 or wanted not in text:
        return f"port {port} answers {status}: {text[:120]!r}"
    return None


def exchange(port: int, words: bytes) -> bytes:
    """Send ``words`` and read up to 64 KB of the answer, for protocols that are not HTTP."""
    with socket.create_connection((LOOPBACK, port), timeout=PROBE_SECONDS) as connection:
        connection.sendall(words)
        return connection.recv(65536)
