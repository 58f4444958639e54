"""SqlDocumentLedger: the account of documents in SQLite or PostgreSQL. One method, one transaction.

Every write of an owner is bound to its claim's epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, and_, bindparam, func, select, update

from ingest_project.core.document_ledger import DocumentClaim, Enrolled, Settlement, Standing
from ingest_project.core.documents import PENDING, Bucket, Document
from ingest_project.ledgers.database import Database, clean
from ingest_project.ledgers.document_accounts import SqlDocumentAccounts
from ingest_project.ledgers.document_results import SqlExtractions, SqlSegments
from ingest_project.ledgers.document_rows import FREE, NO_MARK, document_row, settled, standing_of
from ingest_project.ledgers.document_schema import IS_HELD, documents, stages
from ingest_project.ledgers.document_statements import (
    SOME,
    change_each,
    holders,
    in_bucket,
    lock,
    not_held,
    of_stage,
    pages,
    restate,
    stage_rows,
)
from ingest_project.ledgers.vectors import LedgerVectors

TOLD = ("month", "number", "group", "fields")
"""Columns that the source tells."""


class SqlDocumentLedger(SqlDocumentAccounts):
    """core.document_ledger's DocumentLedger and DocumentAccounts, for any number of threads, processes and
    hosts.

    Args:
        url: ``sqlite:///...``, ``postgresql://...`` or the path of an SQLite file; a ledger of any kind.
        clock: Wall clock seconds, for leases.

    Attributes:
        extractions: Texts that need not be extracted again.
        segments: Documents that fall into parts.
        vectors: Vectors of texts, by model.
    """

    def __init__(self, url: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(Database(url), clock)
        self.extractions = SqlExtractions(self._db, clock=clock)
        self.segments = SqlSegments(self._db)
        self.vectors = LedgerVectors(self._db)

    def __repr__(self) -> str:
        return f"SqlDocumentLedger({self._db.url.render_as_string()!r})"

    def close(self) -> None:
        """Give the connections back; the ledger can be used again."""
        self._db.close()

    def enroll(self, listed: Sequence[Document]) -> Enrolled:
        """See core.document_ledger.DocumentLedger."""
        found = Enrolled()
        order = sorted(listed, key=lambda one: (one.bucket.collection, one.id))
        for collection, ours in groupby(order, key=lambda one: one.bucket.collection):
            for some in pages(list(ours)):
                found += self._enroll(collection, some)
        return found

    def reopen(self, collection: str, stage: str, ids: Sequence[str]) -> int:
        """See core.document_ledger.DocumentLedger."""
        now = self._clock()
        mine = and_(of_stage(collection, stage, ids), stages.c.fingerprint != "", not_held(now))
        with self._db.reading() as connection:
            if connection.execute(select(stages.c.id).where(mine).limit(1)).first() is None:
                return 0
        with self._db.writing() as connection:
            lock(connection, collection, ids)
            found = connection.execute(select(stages.c.id).where(mine).order_by(stages.c.id)).scalars().all()
            again = {**NO_MARK, "epoch": stages.c.epoch + 1, "updated": now}
            connection.execute(update(stages).where(of_stage(collection, stage, found)).values(again))
            restate(connection, collection, found, PENDING)
            return len(found)

    def size(self, bucket: Bucket) -> int:
        """See core.document_ledger.DocumentLedger."""
        with self._db.reading() as connection:
            query = select(func.count()).select_from(documents).where(in_bucket(bucket))
            return int(connection.execute(query).scalar_one())

    def page(
        self, bucket: Bucket, stage: str, before: Sequence[str], *, after: str = "", limit: int = SOME
    ) -> Sequence[Standing]:
        """See core.document_ledger.DocumentLedger."""
        query = select(documents).where(in_bucket(bucket), documents.c.id > after)
        now = self._clock()
        with self._db.reading() as connection:
            query = query.order_by(documents.c.id).limit(min(limit, SOME))
            rows = connection.execute(query).mappings().all()
            marks = stage_rows(connection, bucket.collection, [row["id"] for row in rows], [stage, *before])
        return [standing_of(row, marks.get(row["id"], ()), stage, now) for row in rows]

    def claim(
        self, stage: str, found: Sequence[Standing], *, owner: str, lease: float, state: str
    ) -> Sequence[DocumentClaim]:
        """See core.document_ledger.DocumentLedger."""
        if not found:
            return ()
        now, collection = self._clock(), found[0].document.bucket.collection
        ids = [one.document.id for one in found]
        with self._db.writing() as connection:
            lock(connection, collection, ids)
            months = {one.document.id: one.document.bucket.month for one in found}
            fresh = [
                {"collection": collection, "stage": stage, "id": id, "month": months[id]}
                for id in sorted(months)
            ]
            connection.execute(self._db.insert_new(stages), fresh)
            rows = holders(connection, collection, stage, ids)
            mine = [one for one in found if _may_take(rows[one.document.id], one, clean(owner), now)]
            if mine:
                changes = {
                    one.document.id: {"epoch": one.epoch + 1, "month": months[one.document.id]}
                    for one in mine
                }
                held = {"owner": clean(owner), "leased_until": now + lease, "updated": now}
                change_each(connection, collection, stage, changes, held)
                if state:
                    restate(connection, collection, list(changes), state)
        return [
            DocumentClaim(document=one.document, stage=stage, owner=owner, epoch=one.epoch + 1)
            for one in mine
        ]

    def renew(self, claims: Sequence[DocumentClaim], *, lease: float) -> None:
        """See core.document_ledger.DocumentLedger."""
        now = self._clock()
        self._of_claims(claims, {"leased_until": now + lease}, live_at=now)

    def release(self, claims: Sequence[DocumentClaim]) -> None:
        """See core.document_ledger.DocumentLedger."""
        self._of_claims(claims, {**FREE, "epoch": stages.c.epoch + 1}, live_at=0.0)

    def settle(self, ended: Sequence[Settlement]) -> Sequence[str]:
        """See core.document_ledger.DocumentLedger."""
        if not ended:
            return ()
        first, now = ended[0].claim, self._clock()
        collection, stage = first.document.bucket.collection, first.stage
        by_id = {one.claim.document.id: one for one in ended}
        with self._db.writing() as connection:
            lock(connection, collection, list(by_id))
            rows = holders(connection, collection, stage, list(by_id))
            lost = {id for id, one in by_id.items() if _is_lost(rows.get(id), one.claim, now)}
            ours = {id: one for id, one in by_id.items() if id not in lost}
            for changes in _alike({id: settled(one) for id, one in ours.items()}):
                change_each(connection, collection, stage, changes, {"updated": now})
            for state in sorted({one.state for one in ours.values() if one.state}):
                same = [id for id, one in ours.items() if one.state == state]
                restate(connection, collection, same, state)
        return sorted(lost)

    def restate(self, collection: str, ids: Sequence[str], state: str) -> None:
        """See core.document_ledger.DocumentLedger."""
        with self._db.writing() as connection:
            lock(connection, collection, ids)
            restate(connection, collection, ids, state)

    def release_dead(self, collection: str, is_dead: Callable[[str], bool]) -> int:
        """See core.document_ledger.DocumentLedger."""
        held = and_(stages.c.collection == collection, IS_HELD)
        with self._db.reading() as connection:
            owners = connection.execute(select(stages.c.owner).where(held).distinct()).scalars().all()
        dead = [owner for owner in owners if is_dead(owner)]
        if not dead:
            return 0
        with self._db.writing() as connection:
            freed = {**FREE, "epoch": stages.c.epoch + 1, "updated": self._clock()}
            theirs = and_(held, stages.c.owner.in_(dead))
            return connection.execute(update(stages).where(theirs).values(freed)).rowcount

    def _enroll(self, collection: str, listed: Sequence[Document]) -> Enrolled:
        now = self._clock()
        rows = {one.id: document_row(one, now) for one in listed}
        mine = and_(documents.c.collection == collection, documents.c.id.in_(list(rows)))
        with self._db.writing() as connection:
            lock(connection, collection, list(rows))
            known = {row["id"]: row for row in connection.execute(select(documents).where(mine)).mappings()}
            fresh = [row for id, row in rows.items() if id not in known]
            changed = [
                {f"new_{name}": row[name] for name in ("id", *TOLD)}
                for id, row in rows.items()
                if id in known and any(known[id][name] != row[name] for name in TOLD)
            ]
            if fresh:
                connection.execute(self._db.insert_new(documents), fresh)
            if changed:
                told: dict[str, Any] = {name: bindparam(f"new_{name}") for name in TOLD}
                values = {**told, "state": PENDING, "changed": now}
                this = and_(documents.c.collection == collection, documents.c.id == bindparam("new_id"))
                connection.execute(update(documents).where(this).values(values), changed)
                moved = [one for one in changed if known[one["new_id"]]["month"] != one["new_month"]]
                if moved:
                    theirs = and_(stages.c.collection == collection, stages.c.id == bindparam("new_id"))
                    connection.execute(
                        update(stages).where(theirs).values(month=bindparam("new_month")),
                        [{name: one[name] for name in ("new_id", "new_month")} for one in moved],
                    )
        unchanged = len(rows) - len(fresh) - len(changed)
        return Enrolled(new=len(fresh), changed=len(changed), unchanged=unchanged)

    def _of_claims(
        self, claims: Sequence[DocumentClaim], values: Mapping[str, Any], *, live_at: float
    ) -> None:
        """Change what these claims still hold."""
        if not claims:
            return
        names = ("collection", "id", "stage", "owner", "epoch")
        mine = and_(*(stages.c[name] == bindparam(f"held_{name}") for name in names))
        rows = [
            {
                "held_collection": one.document.bucket.collection,
                "held_id": one.document.id,
                "held_stage": one.stage,
                "held_owner": clean(one.owner),
                "held_epoch": one.epoch,
            }
            for one in sorted(claims, key=lambda one: (one.stage, one.document.id))
        ]
        live = stages.c.leased_until > live_at
        with self._db.writing() as connection:
            connection.execute(update(stages).where(mine, live).values(dict(values)), rows)


def _may_take(row: RowMapping, found: Standing, owner: str, now: float) -> bool:
    live: bool = row["owner"] != "" and row["leased_until"] > now
    # An earlier call of this very claim, whose answer was lost, has taken it.
    again = live and row["owner"] == owner and row["epoch"] == found.epoch + 1
    return bool(again or (not live and row["epoch"] == found.epoch))


def _is_lost(row: RowMapping | None, claim: DocumentClaim, now: float) -> bool:
    if row is None or row["epoch"] != claim.epoch:
        return True
    # Nobody's, in the claim's own epoch: an earlier call of this very settlement has settled it.
    if row["owner"] == "":
        return False
    return bool(row["owner"] != clean(claim.owner) or row["leased_until"] <= now)


def _alike(changes: Mapping[str, dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """Changes of the same columns together."""
    found: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    for id, values in changes.items():
        found.setdefault(tuple(values), {})[id] = values
    return list(found.values())
