"""What `ingest load` does behind the lines, payouts or commissions it has loaded: the books made of them."""

from __future__ import annotations

import time
from dataclasses import replace

from ingest_project.entities.dropship.contract import LINES
from ingest_project.entities.dropship.desk import BookDesk
from ingest_project.entities.dropship.passes import PassReport, entity_of
from ingest_project.entities.dropship.posting import ORDERS, SETTLEMENTS
from ingest_project.entities.dropship.related import AFFILIATE_SPEC, INCOME_SPEC
from ingest_project.entities.dropship.spec import SPEC
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.deployments import Settings
from ingest_project.resources.importing.following import Followed, Loaded
from ingest_project.resources.owner import is_dead

ROLES = {INCOME_SPEC.name: "income", AFFILIATE_SPEC.name: "affiliate"}


def follow(loaded: Loaded) -> Followed:
    """Orders and journal of the lines that were loaded; settlements of all codes that the files touch."""
    _release_dead(loaded.settings)
    desk = BookDesk(
        spec=replace(SPEC, target_of=lambda uri: _lines_of(loaded)),
        settings=loaded.settings,
        ledger=loaded.ledger,
        parts=loaded.parts,
        knobs=loaded.knobs,
        owner=loaded.owner,
        create=loaded.create,
        again=loaded.again,
    )
    plan, reports = loaded.plan, dict[str, PassReport]()
    if loaded.entity == SPEC.name:
        reports["orders and journal"] = desk.post(plan)
    reports["settlements"] = desk.settle(plan.date, {loaded.entity: plan})
    return Followed(
        notes=[_told(name, report) for name, report in reports.items() if report.counts.sent],
        refused=sum(report.counts.rejected for report in reports.values()),
    )


def _lines_of(loaded: Loaded) -> str:
    """The table of lines that the loaded ones belong to: its name and theirs begin alike."""
    targets = sorted({chunk.target for chunk in loaded.plan.chunks})
    if not targets or loaded.entity == SPEC.name:
        return targets[0] if targets else LINES
    return f"{targets[0].removesuffix(f'-{ROLES[loaded.entity]}')}-lines"


def _release_dead(settings: Settings) -> None:
    """A call that was killed holds its slots until its lease is over: the next one need not wait for it."""
    upkeep = Upkeep(settings.ledger_url)
    try:
        for stage in (ORDERS, SETTLEMENTS):
            upkeep.release_dead(entity_of(stage), is_dead, now=time.time())
    finally:
        upkeep.close()


def _told(name: str, report: PassReport) -> str:
    counts = report.counts
    return (
        f"{name}: {counts.sent:,} ids, {counts.written:,} written, {counts.unchanged:,} unchanged, "
        f"{counts.superseded:,} still to come, {counts.rejected:,} refused"
    )
