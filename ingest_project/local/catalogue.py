"""Which servers there are. The first three are embedded: `ingest services up` starts them unasked."""

from __future__ import annotations

from collections.abc import Mapping

from ingest_project.local import postgresql
from ingest_project.local.embedded import MOTO, OSMEM, SEAWEEDFS
from ingest_project.local.java import OPENSEARCH3_NODE, OPENSEARCH_NODE, TIKA_SERVER
from ingest_project.local.native import DYNALITE_SERVER, REDIS
from ingest_project.local.servers import Server

EMBEDDED = ("s3", "dynamodb", "opensearch")

SERVERS: Mapping[str, Server] = {
    server.name: server
    for server in (
        SEAWEEDFS,
        MOTO,
        OSMEM,
        DYNALITE_SERVER,
        OPENSEARCH3_NODE,
        OPENSEARCH_NODE,
        TIKA_SERVER,
        postgresql.SERVER,
        REDIS,
    )
}
