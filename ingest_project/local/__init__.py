"""The servers of one machine: obtain, start, health, stop. What stands here is loaded when it is asked for:
who only looks where a server is needs none of them."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_STATE = frozenset(("Running", "Stack", "read_running", "read_stack"))


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{'state' if name in _STATE else 'services'}"), name)
