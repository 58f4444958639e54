"""The in-memory doubles of every port, in one place to import from."""

from __future__ import annotations

from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project.testing.doubles_mortal import MortalLedger, MortalPartStore
from ingest_project.testing.doubles_parts import InMemoryPartStore, NullPartStore
from ingest_project.testing.doubles_sink import InMemorySink
from ingest_project.testing.doubles_source import EqualsAdmission, InMemorySource
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.doubles_time import FakeClock, inline

__all__ = [
    "EqualsAdmission",
    "FakeClock",
    "InMemoryLedger",
    "InMemoryPartStore",
    "InMemorySink",
    "InMemorySource",
    "ListStream",
    "MortalLedger",
    "MortalPartStore",
    "NullPartStore",
    "inline",
]
