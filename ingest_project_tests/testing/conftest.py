"""Here every test that takes a server is run on each server of that protocol."""

from __future__ import annotations

from ingest_project_tests.every_server import (
    clients,
    dynamodb,
    dynamodb_endpoint,
    dynamodb_server,
    opensearch,
    opensearch_server,
    opensearch_url,
    s3,
    s3_endpoint,
    s3_server,
    table,
)

__all__ = [
    "clients",
    "dynamodb",
    "dynamodb_endpoint",
    "dynamodb_server",
    "opensearch",
    "opensearch_server",
    "opensearch_url",
    "s3",
    "s3_endpoint",
    "s3_server",
    "table",
]
