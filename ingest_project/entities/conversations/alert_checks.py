"""The alerts of the memory as asset checks, and the job that looks: it builds contexts of some users."""

from collections.abc import Iterator

import dagster as dg

from ingest_project.core.errors import IngestError, TransientFailure
from ingest_project.core.metrics import as_openmetrics
from ingest_project.entities.conversations.alerts import alerts
from ingest_project.entities.conversations.diagnosing import Finding, diagnose
from ingest_project.entities.conversations.metering import Meter
from ingest_project.entities.conversations.serving import chat_memory
from ingest_project.entities.conversations.table_assets import TABLES
from ingest_project.resources.clients import IngestResource
from ingest_project.wire.http import run

SOUND = dg.AssetCheckSpec(
    "memory_is_sound", asset=TABLES, description="What `ingest conversations diagnose` says: no failure."
)
ALERTS = tuple(
    dg.AssetCheckSpec(
        one.name, asset=TABLES, description=f"Warns when {one.what} more than {one.limit:g} {one.unit}."
    )
    for one in alerts(Meter(clock=lambda: 0.0), 1.0)
)


@dg.multi_asset_check(name="conversations_alerts", specs=[SOUND, *ALERTS])
def watch(ingest: IngestResource) -> Iterator[dg.AssetCheckResult]:
    """One look: a sample of the tables, and contexts of ten users, each twice."""
    settings = ingest.settings()

    async def look() -> tuple[list[Finding], list[dg.AssetCheckResult]]:
        async with chat_memory(settings) as memory:
            found = await diagnose(memory)
            text = dg.MetadataValue.text(as_openmetrics(memory.meter.metrics()))
            results = [
                dg.AssetCheckResult(
                    check_name=one.name,
                    asset_key=TABLES,
                    passed=not one.fired,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=str(one),
                    metadata={"value": one.value, "limit": one.limit, "openmetrics": text},
                )
                for one in alerts(memory.meter, memory.read_budget)
            ]
            return found, results

    try:
        found, results = run(look)
    except TransientFailure as error:
        raise dg.RetryRequested(max_retries=2, seconds_to_wait=30) from error
    except IngestError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    wrong = [str(one) for one in found if one.verdict == "fail"]
    yield dg.AssetCheckResult(
        check_name=SOUND.name,
        asset_key=TABLES,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(wrong[:3]) or None,
        metadata={"findings": dg.MetadataValue.md("\n".join(f"- {one}" for one in found))},
    )
    yield from results


watching = dg.define_asset_job(
    "conversations_watch",
    selection=dg.AssetSelection.checks(watch),
    executor_def=dg.in_process_executor,
    description="The alerts of the chat memory, and its diagnosis.",
)

hourly = dg.ScheduleDefinition(
    name="conversations_watch_schedule",
    cron_schedule="17 * * * *",
    job=watching,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Looks at the memory once an hour; switch it on when the new tables are in use.",
)
