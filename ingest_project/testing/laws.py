"""The laws as reusable suites: an adapter's test class inherits one and overrides its fixture.

Needs pytest (and pytest-asyncio in auto mode for sinks); nothing of the product imports this module.
"""

from __future__ import annotations

from ingest_project.testing.laws_horizon import HorizonLaws
from ingest_project.testing.laws_ledger import LedgerLaws, LedgerWithRejections
from ingest_project.testing.laws_parts import PartStoreLaws
from ingest_project.testing.laws_sink import SinkLaws, SinkProbe
from ingest_project.testing.laws_source import Shelf, SourceLaws
from ingest_project.testing.laws_stream import StreamCase, StreamLaws

__all__ = [
    "HorizonLaws",
    "LedgerLaws",
    "LedgerWithRejections",
    "PartStoreLaws",
    "Shelf",
    "SinkLaws",
    "SinkProbe",
    "SourceLaws",
    "StreamCase",
    "StreamLaws",
]
