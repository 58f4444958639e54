"""What users ask the ledger about a file: how much was read, written and refused, why, and how long it took.

Only sums over tables; nothing is decided here, and nothing grows with the number of records. Indices that are
built beside the one in use are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Table, case, func, select

from ingest_project.core.entity import REBUILDS
from ingest_project.core.experience import Span
from ingest_project.core.model import Counts
from ingest_project.ledgers.rejections import UNSETTLED
from ingest_project.ledgers.schema import COUNTS, rejections, replays, works

REASONS = 20
"""So many reasons of a file are named, the most frequent; the others are summed under ``other``."""

_FILE = ("entity", "date", "uri", "target")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSummary:
    """One stage of one file: chunks that the stage knows, how they stand, and what came of their records.

    Attributes:
        replayed: Of the records sent, those that a replay sent once more.
    """

    chunks: int
    sealed: int
    failed: int
    records: int
    counts: Counts
    seconds: float
    replayed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSummary:
    """One file on its way to one target.

    Attributes:
        read: Records that validation took from the file so far; replayed ones count once.
        rejected: Rejections that stand open, of all stages.
        stages: By stage name.
        reasons: Rejection reason -> how often, over all stages, most frequent first.
        failures: Reasons of failed chunks, each once.
        seconds: Sum over all chunks and stages; work in parallel counts more than once.
    """

    entity: str
    date: str
    uri: str
    target: str
    chunks: int
    read: int
    rejected: int
    stages: Mapping[str, StageSummary]
    reasons: Mapping[str, int] = field(default_factory=dict)
    failures: Sequence[str] = ()
    seconds: float = 0.0


MOST_SPANS = 20_000
"""So many works of an entity are looked at, the latest."""


def spans(connection: Connection, entity: str, targets: Collection[str] = ()) -> list[Span]:
    """When the entity's chunks were worked on in their stages, of all that ended; of some targets alone when
    there are such."""
    query: Select[Any] = select(works.c.chunk, works.c.stage, works.c.updated, works.c.seconds, works.c.sent)
    query = _within(query, works, entity, None).where(works.c.state.in_(("sealed", "failed")))
    if targets:
        query = query.where(works.c.target.in_(targets))
    latest = query.where(works.c.seconds > 0).order_by(works.c.updated.desc()).limit(MOST_SPANS)
    return [_span(row) for row in connection.execute(latest).mappings()]


def _span(row: RowMapping) -> Span:
    end, seconds = float(row["updated"]), float(row["seconds"])
    rows = int(row["sent"])
    return Span(chunk=row["chunk"], stage=row["stage"], start=end - seconds, end=end, rows=rows)


def summarise(connection: Connection, entity: str | None, date: str | None) -> Sequence[FileSummary]:
    """Summaries of the selection in order of entity, date, file and target."""
    reasons = _reasons(connection, entity, date)
    failures = _failures(connection, entity, date)
    found = connection.execute(_stages(entity, date)).mappings()
    return [
        _summary(key, list(rows), reasons.get(key, {}), failures.get(key, []))
        for key, rows in groupby(found, key=_key)
    ]


def _stages(entity: str | None, date: str | None) -> Select[Any]:
    file = [works.c[name] for name in _FILE]
    sums = [func.sum(works.c[name]).label(name) for name in (*COUNTS, "records", "seconds")]
    query = select(
        *file,
        works.c.stage,
        func.count().label("chunks"),
        func.sum(case((works.c.state == "sealed", 1), else_=0)).label("sealed"),
        func.sum(case((works.c.state == "failed", 1), else_=0)).label("failed"),
        func.sum(case((works.c.chunk.in_(select(replays.c.chunk)), works.c.sent), else_=0)).label("replayed"),
        *sums,
    )
    return _within(query, works, entity, date).group_by(*file, works.c.stage).order_by(*file, works.c.stage)


def _reasons(connection: Connection, entity: str | None, date: str | None) -> dict[Any, dict[str, int]]:
    """Reasons of each file, most frequent first; only the first of them are held."""
    file = [rejections.c[name] for name in _FILE]
    number = func.count().label("number")
    query = _within(select(*file, rejections.c.reason, number), rejections, entity, date)
    query = query.where(rejections.c.state.in_(UNSETTLED))
    query = query.group_by(*file, rejections.c.reason).order_by(*file, number.desc(), rejections.c.reason)
    named: dict[Any, dict[str, int]] = {}
    for row in connection.execute(query).mappings():
        reasons = named.setdefault(_key(row), {})
        reason = row["reason"] if len(reasons) < REASONS else "other"
        reasons[reason] = reasons.get(reason, 0) + int(row["number"])
    return named


def _failures(connection: Connection, entity: str | None, date: str | None) -> dict[Any, list[str]]:
    file = [works.c[name] for name in _FILE]
    query = _within(select(*file, works.c.reason), works, entity, date)
    query = query.where(works.c.state == "failed").distinct().order_by(*file, works.c.reason)
    failures: dict[Any, list[str]] = {}
    for row in connection.execute(query).mappings():
        failures.setdefault(_key(row), []).append(row["reason"])
    return failures


def _within(query: Select[Any], table: Table, entity: str | None, date: str | None) -> Select[Any]:
    query = query.where(table.c.stage.not_like(f"{REBUILDS}%"))
    if entity is not None:
        query = query.where(table.c.entity == entity)
    return query if date is None else query.where(table.c.date == date)


def _key(row: RowMapping) -> tuple[str, ...]:
    return tuple(row[name] for name in _FILE)


def _summary(
    key: tuple[str, ...], rows: list[RowMapping], reasons: Mapping[str, int], failures: Sequence[str]
) -> FileSummary:
    stages = {row["stage"]: _stage(row) for row in rows}
    validated = stages.get("validated")
    return FileSummary(
        **dict(zip(_FILE, key, strict=True)),
        chunks=max(stage.chunks for stage in stages.values()),
        read=validated.counts.sent - validated.replayed if validated is not None else 0,
        rejected=sum(reasons.values()),
        stages=stages,
        reasons=reasons,
        failures=failures,
        seconds=sum(stage.seconds for stage in stages.values()),
    )


def _stage(row: RowMapping) -> StageSummary:
    # PostgreSQL sums big integers into exact decimals: back to int.
    return StageSummary(
        chunks=int(row["chunks"]),
        sealed=int(row["sealed"]),
        failed=int(row["failed"]),
        records=int(row["records"]),
        counts=Counts(**{name: int(row[name]) for name in COUNTS}),
        seconds=float(row["seconds"]),
        replayed=int(row["replayed"]),
    )
