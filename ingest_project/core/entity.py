"""EntitySpec: everything the engine and the factory must know of one entity of dump files. A value, no
behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingest_project.core.indexing import BY_DEFAULT, IndexContract
from ingest_project.core.layouts import Layout
from ingest_project.core.model import Chunk, KeySchema
from ingest_project.core.ports import Admission

ACROSS_DATES = ("newer_only", "overwrite")
DEFAULT_KEYS = KeySchema(parts=(("id", "S"),))

REBUILDS = "index@"
"""Stages that begin so fill an index beside the one in use; they are no stages of the entity."""


def rebuild_stage(index: str) -> str:
    """The stage under which the ledger keeps what was loaded into an index beside the one in use."""
    return REBUILDS + index


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Limits that a materialization is held to: below ``min_records`` blocks, above ``max_rejected_share``
    warns."""

    min_records: int = 0
    max_rejected_share: float = 0.01


NO_EXPECTATION = Expectation()


def by_default(keys: KeySchema) -> IndexContract:
    """Documents of unknown shape, whatever their key."""
    return BY_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySpec:
    """One entity whose dump files go to a DynamoDB table and an OpenSearch index.

    Attributes:
        name: Asset group and key prefix, e.g. ``messages``.
        target_of: File URI -> table name.
        admission: Chunk -> its contract.
        start: First date of the daily partitions, ISO.
        slots: Slots a date; more data makes larger chunks, never more slots.
        across_dates: ``newer_only``: a record of an older date never replaces one of a newer date;
            ``overwrite``: what is loaded last wins.
        default_keys: Key of a table that may be created here and for which no key was configured.
        index: Key of a target -> how its documents are indexed.
        destinations: Stages behind ``validated``, a subset of ``table`` and ``index``.
        layouts: Headers of the entity's CSV files. Without any, its files are JSON dumps.
    """

    name: str
    target_of: Callable[[str], str]
    admission: Callable[[Chunk], Admission]
    start: str
    slots: int = 16
    across_dates: str = "newer_only"
    default_keys: KeySchema = DEFAULT_KEYS
    index: Callable[[KeySchema], IndexContract] = by_default
    destinations: tuple[str, ...] = ("table", "index")
    layouts: tuple[Layout, ...] = ()
    expect: Expectation = NO_EXPECTATION
