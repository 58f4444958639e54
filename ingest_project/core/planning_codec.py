"""ChunkPlan as JSON text and back, without loss. Field by field, so that a renamed field is an error here."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.model import (
    Chunk,
    ChunkPlan,
    Fault,
    FileIndex,
    FileRange,
    KeySchema,
    Mark,
    SourceFile,
)

VERSION = 1


def to_json(plan: ChunkPlan) -> str:
    """The same plan gives the same text."""
    document = {
        "version": VERSION,
        "entity": plan.entity,
        "date": plan.date,
        "slots": plan.slots,
        "files": [_index_out(index) for index in plan.files],
        "chunks": [_chunk_out(chunk) for chunk in plan.chunks],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def from_json(text: str) -> ChunkPlan:
    """Raises PermanentFailure when the text is no plan of a version that is known here."""
    try:
        document = json.loads(text)
        if document["version"] != VERSION:
            raise PermanentFailure(f"a plan of version {document['version']}; known here is {VERSION}")
        return ChunkPlan(
            entity=document["entity"],
            date=document["date"],
            slots=document["slots"],
            files=tuple(_index_in(index) for index in document["files"]),
            chunks=tuple(_chunk_in(chunk) for chunk in document["chunks"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentFailure(f"this is not a stored plan: {error!r}") from error


def _index_out(index: FileIndex) -> dict[str, Any]:
    file = index.file
    return {
        "uri": file.uri,
        "etag": file.etag,
        "size": file.size,
        "modified": file.modified.isoformat(),
        "shape": index.shape,
        "compression": index.compression,
        "length": index.length,
        "records": index.records,
        "marks": [[mark.offset, mark.records] for mark in index.marks],
        "end": index.end,
        "fingerprint": index.fingerprint,
        "metadata": dict(index.metadata),
        "fault": _fault_out(index.fault),
    }


def _index_in(document: dict[str, Any]) -> FileIndex:
    file = SourceFile(
        uri=document["uri"],
        etag=document["etag"],
        size=document["size"],
        modified=datetime.fromisoformat(document["modified"]),
    )
    return FileIndex(
        file=file,
        shape=document["shape"],
        compression=document["compression"],
        length=document["length"],
        records=document["records"],
        marks=tuple(Mark(offset=offset, records=records) for offset, records in document["marks"]),
        end=document["end"],
        fingerprint=document["fingerprint"],
        metadata=document["metadata"],
        fault=_fault_in(document["fault"]),
    )


def _chunk_out(chunk: Chunk) -> dict[str, Any]:
    return {
        "entity": chunk.entity,
        "date": chunk.date,
        "slot": chunk.slot,
        "target": chunk.target,
        "keys": [list(part) for part in chunk.keys.parts],
        "uri": chunk.range.uri,
        "etag": chunk.range.etag,
        "start": chunk.range.start,
        "end": chunk.range.end,
        "shape": chunk.shape,
        "compression": chunk.compression,
        "records": chunk.records,
        "before": chunk.before,
        "fault": _fault_out(chunk.fault),
    }


def _chunk_in(document: dict[str, Any]) -> Chunk:
    return Chunk(
        entity=document["entity"],
        date=document["date"],
        slot=document["slot"],
        target=document["target"],
        keys=KeySchema(parts=tuple((name, kind) for name, kind in document["keys"])),
        range=FileRange(
            uri=document["uri"], etag=document["etag"], start=document["start"], end=document["end"]
        ),
        shape=document["shape"],
        compression=document["compression"],
        records=document["records"],
        before=document.get("before", 0),
        fault=_fault_in(document["fault"]),
    )


def _fault_out(fault: Fault | None) -> list[Any] | None:
    return None if fault is None else [fault.offset, fault.expected]


def _fault_in(document: list[Any] | None) -> Fault | None:
    return None if document is None else Fault(offset=document[0], expected=document[1])
