"""The servers of one machine: obtain, start, health, stop."""

from ingest_project.local.services import (
    DEFAULT_BUCKET,
    ServiceFailed,
    ServiceStatus,
    down,
    obtain,
    status,
    up,
)
from ingest_project.local.state import Running, Stack, read_running, read_stack

__all__ = [
    "DEFAULT_BUCKET",
    "Running",
    "ServiceFailed",
    "ServiceStatus",
    "Stack",
    "down",
    "obtain",
    "read_running",
    "read_stack",
    "status",
    "up",
]
