"""Rows to values and back: how documents, their marks and what is parked stand in the tables. No statement is
executed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping

from ingest_project.core.document_ledger import ParkedDocument, Settlement, Standing
from ingest_project.core.documents import COUNTED, PENDING, Bucket, Delayed, Document, Done, Mark, Parked
from ingest_project.ledgers.database import clean

FREE: dict[str, Any] = {"owner": "", "leased_until": 0.0}
NO_MARK = {"fingerprint": "", "output": "", "facts": "{}", "counted": -1}
NOT_PARKED = {"parked": "", "cause": "", "kind": "", "group": "", "detail": ""}

TEXT_LIMIT = 4096
"""Characters of a reason or a detail that are kept."""


def packed(fields: Mapping[str, str]) -> str:
    """A mapping of texts as one text, the same for equal ones; ASCII, so that every database stores it."""
    return json.dumps(dict(fields), sort_keys=True, separators=(",", ":"))


def unpacked(text: str) -> dict[str, str]:
    """What ``packed`` was given."""
    found: dict[str, str] = json.loads(text)
    return found


def document_row(document: Document, now: float) -> dict[str, Any]:
    """A document that nothing was done with."""
    return {
        "collection": document.bucket.collection,
        "id": document.id,
        "month": document.bucket.month,
        "number": document.bucket.number,
        "group": document.group,
        "state": PENDING,
        "fields": packed(document.fields),
        "listed": now,
        "changed": now,
    }


def document_of(row: RowMapping, marks: Sequence[RowMapping]) -> Document:
    """A document with the marks among these rows of its stages."""
    return Document(
        id=row["id"],
        bucket=bucket_of(row),
        fields=unpacked(row["fields"]),
        group=row["group"],
        marks={one["stage"]: mark_of(one) for one in marks if one["fingerprint"]},
    )


def bucket_of(row: RowMapping) -> Bucket:
    return Bucket(collection=row["collection"], month=row["month"], number=row["number"])


def mark_of(row: RowMapping) -> Mark:
    return Mark(fingerprint=row["fingerprint"], output=row["output"], facts=unpacked(row["facts"]))


def standing_of(row: RowMapping, marks: Sequence[RowMapping], stage: str, now: float) -> Standing:
    """A document as ``stage`` finds it, of the rows of its stages."""
    own = next((one for one in marks if one["stage"] == stage), None)
    document = document_of(row, marks)
    if own is None:
        return Standing(document=document, state=row["state"])
    return Standing(
        document=document,
        state=row["state"],
        epoch=own["epoch"],
        parked=own["parked"],
        cause=own["cause"],
        held=own["owner"] != "" and own["leased_until"] > now,
    )


def settled(ended: Settlement) -> dict[str, Any]:
    """What a settlement changes in the row of its stage. Outcomes of one kind change the same columns."""
    outcome = ended.outcome
    if isinstance(outcome, Done):
        mark = {
            "fingerprint": ended.fingerprint,
            "output": outcome.output,
            "facts": packed(outcome.facts),
            "counted": int(outcome.facts.get(COUNTED, 0)),
        }
        return {**FREE, **NOT_PARKED, **mark, "reason": ""}
    if isinstance(outcome, Delayed):
        return {**FREE, **NOT_PARKED, "reason": clean(outcome.reason[:TEXT_LIMIT]) or "no reason was given"}
    return {
        **FREE,
        **NO_MARK,
        "reason": "",
        "parked": ended.fingerprint,
        "cause": clean(outcome.cause),
        "kind": clean(outcome.kind),
        "group": ended.claim.document.group,
        "detail": clean(outcome.detail[:TEXT_LIMIT]),
    }


def parked_document(row: RowMapping) -> ParkedDocument:
    """A row of a stage, joined with month and number of its document."""
    return ParkedDocument(
        id=row["id"],
        bucket=bucket_of(row),
        stage=row["stage"],
        group=row["group"],
        parked=Parked(cause=row["cause"], kind=row["kind"], detail=row["detail"]),
        at=row["updated"],
    )
