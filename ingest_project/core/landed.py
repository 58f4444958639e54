"""Landed pages as files of a date: the plan of an entity that is read from an API, made of what landed.

A stored plan of such an entity holds no chunk: a base, which says what its pages are of and where their
records go. What landed since is put behind it, as nothing that is planned ever moves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import PermanentFailure
from ingest_project.core.model import Chunk, ChunkPlan, FileIndex, FileRange, KeySchema, Mark, SourceFile
from ingest_project.core.syncing import Landed

_BASE = "pages:"
_SHAPE, _COMPRESSION = "lines", "zstd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Of which entity of the API the pages are, and where their records go."""

    source: str
    target: str
    keys: KeySchema


def base_plan(spec: EntitySpec, date: str) -> ChunkPlan:
    """The plan of a date on which nothing landed.

    Raises:
        PermanentFailure: The entity is not read from an API.
    """
    if not spec.source:
        raise PermanentFailure(f"{spec.name} has no source of pages")
    uri = _BASE + spec.source
    said = {"target": spec.target_of(uri), "keys": str(spec.default_keys)}
    file = SourceFile(uri=uri, etag="", size=0, modified=_midnight(date))
    base = FileIndex(
        file=file,
        shape="",
        compression="",
        length=0,
        records=0,
        marks=(),
        end=0,
        fingerprint="",
        metadata=said,
    )
    return ChunkPlan(entity=spec.name, date=date, slots=spec.slots, files=(base,))


def base_of(plan: ChunkPlan) -> Base | None:
    """What the plan says of its pages; None when it is one of files."""
    for index in plan.files:
        if index.file.uri.startswith(_BASE):
            parts = (part.split(":") for part in index.metadata["keys"].split(","))
            return Base(
                source=index.file.uri.removeprefix(_BASE),
                target=index.metadata["target"],
                keys=KeySchema(parts=tuple((name, kind) for name, kind in parts)),
            )
    return None


def with_landed(plan: ChunkPlan, base: Base, landed: Iterable[Landed]) -> ChunkPlan:
    """The plan with a chunk for each stored object of pages, in the slot of its slice."""
    known = {index.file.uri for index in plan.files}
    fresh = [one for one in landed if one.uri not in known]
    chunks = [_chunk(plan, base, one) for one in fresh]
    return replace(
        plan,
        files=tuple(sorted([*plan.files, *map(_index, fresh)], key=lambda index: index.file.uri)),
        chunks=tuple(sorted([*plan.chunks, *chunks], key=lambda chunk: chunk.order)),
    )


def without_landed(plan: ChunkPlan) -> ChunkPlan:
    """The plan as it is stored; one of files is left as it is."""
    if base_of(plan) is None:
        return plan
    files = tuple(index for index in plan.files if index.file.uri.startswith(_BASE))
    return replace(plan, files=files, chunks=())


def _index(one: Landed) -> FileIndex:
    file = SourceFile(uri=one.uri, etag=one.etag, size=one.stored, modified=_midnight(one.slice.date))
    return FileIndex(
        file=file,
        shape=_SHAPE,
        compression=_COMPRESSION,
        length=one.bytes,
        records=one.rows,
        marks=(Mark(offset=0, records=0),),
        end=one.bytes,
        fingerprint=one.etag,
    )


def _chunk(plan: ChunkPlan, base: Base, one: Landed) -> Chunk:
    return Chunk(
        entity=plan.entity,
        date=plan.date,
        slot=one.slice.slot,
        target=base.target,
        keys=base.keys,
        range=FileRange(uri=one.uri, etag=one.etag, start=0, end=one.bytes),
        shape=_SHAPE,
        compression=_COMPRESSION,
        records=one.rows,
    )


def _midnight(date: str) -> datetime:
    return datetime.fromisoformat(date).replace(tzinfo=UTC)
