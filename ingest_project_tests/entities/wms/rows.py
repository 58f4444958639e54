"""Rows of a small entity with a field of each type, and chunks and batches of them, for tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ingest_project.core.fields import FieldBook, HeldFields
from ingest_project.core.model import Chunk, KeySchema, Position, RecordBatch
from ingest_project.core.paging import Field
from ingest_project.entities.wms.contract import review
from ingest_project.testing.samples import sample_chunk

ENTITY = "wms.order_hdr"
KEYS = KeySchema(parts=(("id", "N"),))
TYPES: Mapping[str, str] = {
    "id": "integer",
    "url": "string",
    "mod_ts": "datetime",
    "order_nbr": "string",
    "wave_id": "relation",
    "facility_id": "relation",
    "status_id": "integer",
    "total_orig_ord_qty": "decimal",
    "is_picking_flg": "boolean",
    "ord_date": "date",
    "order_shipped_ts": "datetime",
    "order_dtl_set": "set",
    "note": "object",
}
ROW: Mapping[str, Any] = {
    "id": 987654,
    "url": "https://wms.example.com/entity/order_hdr/987654",
    "mod_ts": "2025-07-03T10:15:00.000000-03:00",
    "order_nbr": "ORD1",
    "wave_id": {"id": 7, "key": "W7", "url": "https://wms.example.com/entity/wave/7"},
    "facility_id": None,
    "status_id": 10,
    "total_orig_ord_qty": "12.0000",
    "is_picking_flg": True,
    "ord_date": "2025-07-03",
    "order_shipped_ts": None,
    "order_dtl_set": {"result_count": 3, "url": "https://wms.example.com/entity/order_dtl/?order_id=987654"},
    "note": None,
}


def text(row: Mapping[str, Any] | None = None, *, spaced: bool = False, **changes: Any) -> bytes:
    """A row as the API sends it; ``changes`` to the usual one."""
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps({**(ROW if row is None else row), **changes}, separators=separators).encode()


def described(types: Mapping[str, str] = TYPES) -> tuple[Field, ...]:
    """The description of these fields."""
    return tuple(Field(name=name, type=kind) for name, kind in types.items())


def book(types: Mapping[str, str] = TYPES, entity: str = ENTITY) -> FieldBook:
    """A book that has taken in the description."""
    made = HeldFields()
    review(made, entity, described(types))
    return made


def chunk(entity: str = ENTITY, keys: KeySchema = KEYS) -> Chunk:
    """A chunk of landed pages."""
    return replace(sample_chunk(), entity=entity, keys=keys, shape="lines")


def batch(raws: Sequence[bytes], *, first: int = 0, decoded: bool = True) -> RecordBatch:
    """Rows as the reader gives them; ``decoded``: a JSON decoder has seen them."""
    return RecordBatch(
        first=first,
        raws=raws,
        offsets=[100 * (first + at) for at in range(len(raws))],
        after=Position(first + len(raws)),
        text=b"[" + b",".join(raws) + b"]" if decoded else b"",
    )
