"""Rows to values: how slices, their claims and what landed stand in the tables. No statement is executed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from ingest_project.core.syncing import (
    OPEN,
    READING,
    Bookmark,
    Landed,
    Slice,
    SliceClaim,
    SliceStatus,
    Sync,
)
from ingest_project.ledgers.database import clean
from ingest_project.ledgers.schema import slices

UNREAD: Mapping[str, Any] = {
    "state": OPEN,
    "reason": "",
    "owner": "",
    "epoch": 0,
    "leased_until": 0.0,
    "last_id": None,
    "last_mod_ts": "",
    "mod_ts_max": "",
    "sequence": 0,
    "rows": 0,
    "pages": 0,
    "bytes": 0,
    "attempts": 0,
    "seconds": 0.0,
}
"""What a slice's row holds before it is read."""


def new_slice(part: Slice, now: float) -> dict[str, Any]:
    """The row of a slice that nobody has read."""
    named = {name: getattr(part, name) for name in Slice.__slots__ if name != "rows"}
    return {**named, "expected": part.rows, **UNREAD, "updated": now}


def slice_of(row: RowMapping) -> Slice:
    named = {name: row[name] for name in Slice.__slots__ if name != "rows"}
    return Slice(**named, rows=row["expected"])


def claim_of(row: Mapping[Any, Any], part: Slice, sync: Sync) -> SliceClaim:
    """What the owner that stands in the row goes on with."""
    return SliceClaim(
        slice=part,
        sync=sync,
        owner=row["owner"],
        epoch=row["epoch"],
        bookmark=bookmark_of(row),
        sequence=row["sequence"],
        rows=row["rows"],
        pages=row["pages"],
        bytes=row["bytes"],
    )


def bookmark_of(row: Mapping[Any, Any]) -> Bookmark:
    return Bookmark(last_id=row["last_id"], last_mod_ts=row["last_mod_ts"])


def status_of(row: RowMapping, now: float) -> SliceStatus:
    """The row as users see it; one whose reader's lease is over is open."""
    state, reason = row["state"], row["reason"]
    if row["owner"]:
        live = row["leased_until"] > now
        state = READING if live else OPEN
        reason = "" if live else f"the lease of {row['owner']} ran out"
    return SliceStatus(
        slice=slice_of(row),
        state=state,
        reason=reason,
        bookmark=bookmark_of(row),
        **{name: row[name] for name in ("owner", "rows", "pages", "bytes", "attempts", "seconds", "updated")},
    )


def landing_row(landed: Landed, now: float) -> dict[str, Any]:
    part = landed.slice
    named = {name: getattr(landed, name) for name in Landed.__slots__ if name != "slice"}
    place = {"sync": part.sync, "slice": part.number, "entity": part.entity, "date": part.date}
    return {**named, **place, "landed": now}


def ended(state: str, reason: str, seconds: float, now: float) -> dict[str, Any]:
    """What changes when a reader lets go."""
    return {
        "state": state,
        "owner": "",
        "leased_until": 0.0,
        "reason": clean(reason),
        "seconds": slices.c.seconds + seconds,
        "updated": now,
    }
