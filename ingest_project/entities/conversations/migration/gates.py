"""What must be done before a step, decided from what is remembered. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from ingest_project.core.errors import RemoteWriteRefused
from ingest_project.core.model import WorkStatus
from ingest_project.core.outcomes import SEALED
from ingest_project.entities.conversations.migration.plan import MigrationPlan
from ingest_project.entities.conversations.migration.records import SHOWN, Standing, Verdict
from ingest_project.entities.conversations.migration.verifying import Findings
from ingest_project.resources.endpoints import parse_endpoint


def open_points(
    plan: MigrationPlan, standing: Standing, rejected: int, *, now: datetime, fresh: timedelta
) -> Iterator[str]:
    """Why this plan must not be cut over yet; nothing: it may be.

    Args:
        rejected: Old rows that may stay behind.
    """
    if standing.marker is not None:
        yield f"plan {standing.marker.plan} was cut over {standing.marker.moment:%Y-%m-%d %H:%M} UTC"
        return
    verdict = standing.verdicts.get(plan.hash)
    if verdict is None:
        yield "it was not verified"
        return
    if not verdict.clean:
        more = " and more" if verdict.unnamed else ""
        yield f"verifying found {verdict.differences}{more} differences"
    if verdict.begun < max(standing.touched.values(), default=verdict.begun):
        yield "something was copied since it was verified"
    if now - verdict.ended > fresh:
        yield f"it was verified {verdict.ended:%Y-%m-%d %H:%M} UTC, too long ago"
    if verdict.rejected != rejected:
        yield f"{verdict.rejected} old rows are rejected, {rejected} may be: read why, and say so"


def round_of(plan: MigrationPlan, stage: str, rows: Sequence[WorkStatus], *, again: bool) -> int:
    """Which round of a stage comes next: the last one until it is complete, and then, when asked, another.

    Args:
        rows: What the ledger has of the plan's date.
    """
    mine = [(plan.round_of(row.uri), row) for row in rows if row.stage == stage]
    last = max((number for number, _ in mine), default=0)
    if last == 0:
        return 1
    sealed = {row.slot for number, row in mine if number == last and row.state == SEALED}
    return last + 1 if again and len(sealed) == plan.segments else last


def require_confirmed(url: str, plan: MigrationPlan | None, confirm: str) -> None:
    """Let a write pass to a target on this machine, and to another one whose plan's hash was said.

    Raises:
        RemoteWriteRefused: Everything else, and a hash that is another plan's.
    """
    wanted = plan.hash if plan else ""
    here = parse_endpoint(url, "the endpoint of DynamoDB").is_loopback
    if confirm not in (wanted, "") or (not here and (not confirm or plan is None)):
        told = f"`{confirm}` is not its hash" if confirm else "it is not on this machine"
        raise RemoteWriteRefused(f"refused to write to {url}: {told}; confirm the plan {wanted}".rstrip())


def verdict_of(plan: MigrationPlan, found: Findings, begun: datetime, ended: datetime) -> Verdict:
    """What is remembered of a comparison."""
    return Verdict(
        plan=plan.hash,
        begun=begun,
        ended=ended,
        read=found.read,
        rejected=found.rejected,
        expired=found.expired,
        differences=len(found.differences),
        named=tuple(str(one) for one in found.differences[:SHOWN]),
        unnamed=found.unnamed,
        settled=found.settled,
    )
