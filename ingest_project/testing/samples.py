"""Small values for tests: chunks, works and files with every field filled in. No behaviour."""

from __future__ import annotations

from hashlib import blake2b

from ingest_project.core.model import Chunk, Fault, FileRange, KeySchema, Work


def sample_chunk(
    name: str = "a",
    *,
    date: str = "2026-01-01",
    start: int = 0,
    end: int = 1000,
    records: int = 10,
    slot: int = 0,
    target: str = "messages",
    etag: str = "e1",
    fault: Fault | None = None,
    compression: str = "",
    entity: str = "messages",
) -> Chunk:
    """A chunk of the file ``file:///in/<name>.json``; order follows (date, name, start)."""
    return Chunk(
        entity=entity,
        date=date,
        slot=slot,
        target=target,
        keys=KeySchema(parts=(("id", "S"),)),
        range=FileRange(uri=f"file:///in/{name}.json", etag=etag, start=start, end=end),
        shape="wrapper:Items",
        compression=compression,
        records=records,
        fault=fault,
    )


def sample_work(
    chunk: Chunk, stage: str = "table", *, identity: str = "table-1", horizon: int = 1_000_000
) -> Work:
    """Work on a chunk whose list of losers knows every other chunk, unless a horizon says otherwise."""
    return Work(chunk=chunk, stage=stage, identity=identity, horizon=horizon)


def key_hash(key: object) -> bytes:
    """16 bytes that stand for a key."""
    return blake2b(repr(key).encode(), digest_size=16).digest()
