"""Rows to values: how a work, its claim and its counts stand in the tables. No statement is executed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from ingest_project.core.model import Claim, Counts, Position, Work, WorkStatus
from ingest_project.ledgers.schema import COUNTS

FRESH: Mapping[str, Any] = {
    "ordinal": 0,
    "token": "",
    "seconds": 0.0,
    "reason": "",
    **dict.fromkeys(COUNTS, 0),
}
"""What a row holds before any of its work is done."""


def new_row(work: Work, now: float) -> dict[str, Any]:
    """The row of a work that the ledger sees for the first time, unclaimed."""
    chunk, span = work.chunk, work.chunk.range
    return {
        "chunk": chunk.id,
        "stage": work.stage,
        "entity": chunk.entity,
        "date": chunk.date,
        "slot": chunk.slot,
        "target": chunk.target,
        "uri": span.uri,
        "start": span.start,
        "end": span.end,
        "records": chunk.records,
        "fingerprint": chunk.fingerprint,
        "identity": work.identity,
        "state": "open",
        "owner": "",
        "epoch": 0,
        "leased_until": 0.0,
        "horizon": work.horizon,
        "sequence": None,
        "updated": now,
        **FRESH,
    }


def counts_of(row: RowMapping) -> Counts:
    return Counts(**{name: row[name] for name in COUNTS})


def claim_of(row: RowMapping, work: Work, *, owner: str, epoch: int) -> Claim:
    """The claim that ``owner`` gets from the row as it stands."""
    return Claim(
        work=work,
        owner=owner,
        epoch=epoch,
        position=Position(row["ordinal"], row["token"]),
        counts=counts_of(row),
        sealed=row["state"] == "sealed",
    )


def status_of(row: RowMapping, now: float) -> WorkStatus:
    """The row as users see it; a claim whose lease is over counts as open."""
    state, reason = row["state"], row["reason"]
    if state == "claimed" and row["leased_until"] <= now:
        state, reason = "open", f"the lease of {row['owner']} ran out"
    return WorkStatus(
        entity=row["entity"],
        stage=row["stage"],
        date=row["date"],
        slot=row["slot"],
        target=row["target"],
        chunk_id=row["chunk"],
        uri=row["uri"],
        state=state,
        counts=counts_of(row),
        records=row["records"],
        seconds=row["seconds"],
        reason=reason,
    )
