"""Replays as chunks: some refused records of another chunk, which stand where they stood there.

Only names and order live here. What is replayed, and where its bytes lie, is the ledger's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ingest_project.core.model import Chunk, ChunkPlan

_MARK = "replay"

SOURCE, LINE = "source", "line"
"""What a replayed record's bytes are: a record as its file has it, or a part line that a target refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the etag of a replay's chunk says.

    Attributes:
        number: Of the replay, ascending in its ledger; 0 stands for a file's own chunk.
        form: SOURCE or LINE.
        etag: Of the file whose records they are.
    """

    number: int
    form: str
    etag: str


def replayed(chunk: Chunk) -> Replayed:
    """Which replay a chunk is; number 0 for a chunk of a file."""
    words = chunk.range.etag.split(":", 3)
    if words[0] != _MARK or len(words) != 4:
        return Replayed(number=0, form=SOURCE, etag=chunk.range.etag)
    return Replayed(number=int(words[1]), form=words[2], etag=words[3])


def is_replay(chunk: Chunk) -> bool:
    return replayed(chunk).number > 0


def replay_chunk(origin: Chunk, number: int, form: str, records: int) -> Chunk:
    """The chunk of ``records`` refused records of ``origin``; its place in the order is the origin's."""
    etag = f"{_MARK}:{number}:{form}:{replayed(origin).etag}"
    return replace(origin, range=replace(origin.range, etag=etag), records=records, fault=None)


def form_of(origin: Chunk, stage: str) -> str:
    """What the bytes of a record of ``origin`` are that ``stage`` refused."""
    return replayed(origin).form if stage == "validated" else LINE


def with_replays(plan: ChunkPlan, replays: Iterable[Chunk]) -> ChunkPlan:
    """The plan and the replays of its files; those of files that were replaced since are left out."""
    files = {(index.file.uri, index.file.etag) for index in plan.files}
    known = {chunk.id for chunk in plan.chunks}
    more = [
        chunk
        for chunk in replays
        if (chunk.range.uri, replayed(chunk).etag) in files and chunk.id not in known
    ]
    if not more:
        return plan
    chunks = sorted([*plan.chunks, *more], key=lambda chunk: (chunk.order, replayed(chunk).number))
    return replace(plan, chunks=tuple(chunks))


def without_replays(plan: ChunkPlan) -> ChunkPlan:
    """The plan as it is stored: chunks of files alone."""
    return replace(plan, chunks=tuple(chunk for chunk in plan.chunks if not is_replay(chunk)))
