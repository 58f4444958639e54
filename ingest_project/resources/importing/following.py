"""What an entity does with the records of an import once they are in their table. The port; entities fill
it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest_project.core.model import ChunkPlan
from ingest_project.core.ports import PartStore
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.deployments import Settings
from ingest_project.resources.knobs import Knobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """An import whose records are in their table; its parts are still there, unless it was through before.

    Attributes:
        entity: Whose files they are.
        create: Whether tables may be made.
        again: Names this call when what was done before is to be done once more; else empty.
    """

    entity: str
    plan: ChunkPlan
    settings: Settings
    ledger: SqlLedger
    parts: PartStore
    knobs: Knobs
    owner: str
    create: bool
    again: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What came of it: sentences for the report, and how much was refused."""

    notes: Sequence[str] = ()
    refused: int = 0


Follow = Callable[[Loaded], Followed]
"""Repeats what was done before without harm. Raises IngestError: the same call goes on."""
