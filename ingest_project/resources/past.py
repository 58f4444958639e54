"""What earlier loads of a deployment teach about the next one. Reads its ledger, and makes none."""

from __future__ import annotations

from collections.abc import Collection

from ingest_project.core.experience import Learned, learned, loads_of
from ingest_project.ledgers.database import is_there
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.deployments import Settings
from ingest_project.resources.overviews import BY_HAND


def learned_of(settings: Settings, entity: str, targets: Collection[str]) -> Learned | None:
    """The rate of earlier loads: of Dagster's of the entity, and of those by hand into these targets."""
    if not is_there(settings.ledger_url):
        return None
    ledger = SqlLedger(settings.ledger_url)
    try:
        of_runs = loads_of(ledger.spans(entity))
        by_hand = loads_of(ledger.spans(BY_HAND, targets)) if targets else []
    finally:
        ledger.close()
    return learned([*of_runs, *by_hand])
