"""services.json: what runs, where, and how clients reach it. Read by anyone, written by services.py alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingest_project.core.errors import ConfigurationError
from ingest_project.local.catalogue import SERVERS
from ingest_project.local.processes import ProcessMark, alive
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY

_VERSION = 1
_ENDPOINT_VARIABLES = {
    "s3": "AWS_ENDPOINT_URL_S3",
    "dynamodb": "AWS_ENDPOINT_URL_DYNAMODB",
    "opensearch": "OPENSEARCH_URL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One server that was started here."""

    name: str
    mark: ProcessMark
    ports: Mapping[str, int]
    version: str = ""

    @property
    def endpoint(self) -> str:
        return SERVERS[self.name].url(self.port)

    @property
    def port(self) -> int:
        return self.ports["http"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The servers of one state folder, by name, and the bucket that was made for them."""

    home: Path
    servers: Mapping[str, Running] = field(default_factory=dict)
    bucket: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The standard variables with which any client reaches these servers.

        Where two serve the same, it is the later one in the catalogue: who starts a real OpenSearch beside
        the embedded one means to use it.
        """
        words = {
            _ENDPOINT_VARIABLES[kind.serves]: self.servers[name].endpoint
            for name, kind in SERVERS.items()
            if name in self.servers and kind.serves
        }
        if not words:
            return {}
        fixed = {
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "INGEST_HOME": str(self.home),
        }
        return {**words, **fixed, **({"INGEST_BUCKET": self.bucket} if self.bucket else {})}


def state_file(home: Path) -> Path:
    return home / "services.json"


def read_stack(home: Path) -> Stack:
    """What services.json says, running or not; an empty stack when there is none.

    Raises:
        ConfigurationError: The file is not one of ours.
    """
    path = state_file(home)
    try:
        text = path.read_text()
    except FileNotFoundError:
        return Stack(home=home)
    try:
        document = json.loads(text)
        if document["version"] != _VERSION:
            raise ValueError(f"version {document['version']}")
        servers = {name: _server(name, entry) for name, entry in document["services"].items()}
        return Stack(home=home, servers=servers, bucket=str(document["bucket"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} cannot be understood ({error}); stop the servers and delete it"
        ) from error


def read_running(home: Path) -> Stack:
    """As read_stack, with only the servers whose processes are alive."""
    stack = read_stack(home)
    servers = {name: server for name, server in stack.servers.items() if alive(server.mark)}
    return Stack(home=home, servers=servers, bucket=stack.bucket)


def write_stack(stack: Stack) -> None:
    """Replace services.json atomically (a reader sees the old or the new one)."""
    document = {
        "version": _VERSION,
        "bucket": stack.bucket,
        "services": {name: _entry(server) for name, server in stack.servers.items()},
    }
    path = state_file(stack.home)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(document, indent=2) + "\n")
    draft.replace(path)


def _entry(server: Running) -> dict[str, object]:
    return {
        "endpoint": server.endpoint,
        "pid": server.mark.pid,
        "started": server.mark.started,
        "ports": dict(server.ports),
        "version": server.version,
    }


def _server(name: str, entry: Mapping[str, object]) -> Running:
    pid, started, ports = entry["pid"], entry["started"], entry["ports"]
    if name not in SERVERS or not isinstance(ports, dict) or "http" not in ports:
        raise ValueError(f"service {name!r}")
    if not isinstance(pid, int) or not isinstance(started, int | float):
        raise ValueError(f"process of {name!r}")
    return Running(
        name=name,
        mark=ProcessMark(pid=pid, started=float(started)),
        ports={str(key): int(value) for key, value in ports.items()},
        version=str(entry.get("version", "")),
    )
