"""What earlier loads of a deployment teach about the next one. Reads its ledger, and makes none."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ingest_project.core.experience import Learned, RunRate, Span, learned, loads_of, run_rate
from ingest_project.ledgers.database import is_there
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.deployments import Settings
from ingest_project.resources.overviews import BY_HAND


def learned_of(settings: Settings, entity: str, targets: Collection[str]) -> Learned | None:
    """The rate of earlier loads: of Dagster's of the entity, and of those by hand into these targets."""
    of_runs, by_hand = _spans(settings, entity, targets)
    return learned([*loads_of(of_runs), *loads_of(by_hand)])


def run_rate_of(settings: Settings, entity: str, targets: Collection[str]) -> RunRate | None:
    """The rate of one run, of the same loads."""
    of_runs, by_hand = _spans(settings, entity, targets)
    return run_rate([*of_runs, *by_hand])


def _spans(
    settings: Settings, entity: str, targets: Collection[str]
) -> tuple[Sequence[Span], Sequence[Span]]:
    if not is_there(settings.ledger_url):
        return (), ()
    ledger = SqlLedger(settings.ledger_url)
    try:
        return ledger.spans(entity), ledger.spans(BY_HAND, targets) if targets else ()
    finally:
        ledger.close()
