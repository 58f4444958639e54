"""Freshness: how old the mirror is, and what the domain allows. Pure but for the ledger that is asked."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_project.core.entity import EntitySpec
from ingest_project.core.syncing import DELETES, DONE, Sync
from ingest_project.ledgers.sql import SqlLedger

LOOKED_AT = 20
"""Syncs of an entity, the newest first: none older says anything that these do not."""

CURRENT, SEALED = "current", "sealed"
_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Hours after which the mirror is old: with a warning, and as a failure."""

    warn: float
    fail: float

    def verdict(self, age: float | None) -> str:
        """What an age in seconds is: empty, ``warn`` or ``fail``; None is the age of what never was there."""
        if age is None or age > self.fail * _HOUR:
            return "fail"
        return "warn" if age > self.warn * _HOUR else ""


LIMITS = {
    "allocation": Freshness(warn=2, fail=4),
    "order_dtl": Freshness(warn=12, fail=24),
    "order_hdr": Freshness(warn=24, fail=48),
}
"""The domain's."""


def age_of(spec: EntitySpec, ledger: SqlLedger, now: float) -> float | None:
    """Seconds since the beginning of the last sync whose rows are all in the current table: what the source
    had before is there. None when there is no such sync."""
    for sync in ledger.syncs.syncs(spec.name, limit=LOOKED_AT):
        if sync.mode != DELETES and sync.state == DONE and _arrived(spec, ledger, sync):
            return max(0.0, now - sync.begun)
    return None


def _arrived(spec: EntitySpec, ledger: SqlLedger, sync: Sync) -> bool:
    landed = {one.uri for one in ledger.syncs.landed(spec.name, sync.date) if one.slice.sync == sync.number}
    if not landed:
        return True
    rows = ledger.status(spec.name, sync.date)
    return landed <= {row.uri for row in rows if row.stage == CURRENT and row.state == SEALED}
