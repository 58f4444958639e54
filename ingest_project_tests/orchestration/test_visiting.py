"""Schedules and the sensor of a mirrored entity, over a ledger of their own: what is begun, what is skipped
and why, what is left to others who are at work. Nothing is asked of an API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from ingest_project.core.landed import base_plan
from ingest_project.core.model import Work
from ingest_project.core.restarting import DELIVER, READ
from ingest_project.core.syncing import DELETES, FULL, SINCE, Bookmark, Landed, SliceClaim, Sync
from ingest_project.entities.wms.checks import build_standing_job
from ingest_project.entities.wms.spec import SPECS, spec_of
from ingest_project.ledgers.syncs import Piece, SyncLedger
from ingest_project.orchestration.synced import build_jobs
from ingest_project.orchestration.visiting import CRON, build_schedules, build_sync_sensor
from ingest_project.resources.clients import IngestResource
from ingest_project_tests.faults.deployed import ingest_resource, only_our_warnings

pytestmark = pytest.mark.dagster

SPEC = spec_of("allocation")
DAY, MOMENT = "2026-11-02", "2026-11-02T10:00:00.000000+00:00"


@pytest.fixture
def ingest(home: Path, monkeypatch: pytest.MonkeyPatch) -> IngestResource:
    """A deployment on a disk, which knows a warehouse and never asks it."""
    monkeypatch.setenv("INGEST_HOME", str(home))
    monkeypatch.setenv("INGEST_PART_STORE", "local")
    monkeypatch.setenv("INGEST_WMS_URL", "http://127.0.0.1:9/demo")
    return ingest_resource()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def begun(syncs: SyncLedger, mode: str = FULL) -> Sync:
    """A sync of one slice."""
    wanted = Sync(number=0, entity=SPEC.name, date=DAY, mode=mode, until=MOMENT)
    return syncs.begin(wanted, [Piece(slot=0, rows=1)])


def held(syncs: SyncLedger, sync: Sync) -> SliceClaim:
    """Its slice in the hands of somebody else."""
    claim = syncs.claim(syncs.status(sync.number)[0].slice, owner="by hand", lease=600.0)
    assert claim is not None
    return claim


def through(syncs: SyncLedger, sync: Sync) -> None:
    """Read, with one object."""
    claim = held(syncs, sync)
    sizes = {"bytes": 1, "stored": 1, "rows": 1, "pages": 1, "ids_low": 1, "ids_high": 1}
    one = Landed(slice=claim.slice, sequence=0, uri="file:///1", etag="e", mod_ts_max=MOMENT, **sizes)
    claim = syncs.land(claim, [one], Bookmark(last_id=1, last_mod_ts=MOMENT), lease=600.0)
    syncs.finish(claim, seconds=1.0)


def scheduled(ingest: IngestResource, mode: str) -> dg.RunRequest | str:
    """The run that the schedule asks for, or why it skips."""
    with only_our_warnings():
        (one,) = build_schedules(SPEC, {mode: build_jobs(SPEC)[mode]})
    assert CRON[mode] == one.cron_schedule
    return answer(one, ingest)


def answer(schedule: dg.ScheduleDefinition, ingest: IngestResource) -> dg.RunRequest | str:
    with only_our_warnings(), dg.build_schedule_context(resources={"ingest": ingest}) as context:
        found = schedule(context)
    if isinstance(found, dg.SkipReason):
        return str(found.skip_message)
    assert isinstance(found, dg.RunRequest)
    return found


def asked(ingest: IngestResource, instance: dg.DagsterInstance) -> list[str]:
    """The phases of the runs that the sensor asks for."""
    with only_our_warnings():
        sensor = build_sync_sensor(SPEC, build_jobs(SPEC)["sync"])
        with dg.build_sensor_context(instance=instance, resources={"ingest": ingest}) as context:
            result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return [request.tags["ingest/phase"] for request in result.run_requests or []]


def test_without_a_warehouse_every_schedule_says_so(
    ingest: IngestResource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INGEST_WMS_URL")
    (standing,) = build_standing_job(SPECS).schedules or ()
    assert isinstance(standing, dg.ScheduleDefinition)
    said = [*(scheduled(ingest, mode) for mode in CRON), answer(standing, ingest)]
    assert ["INGEST_WMS_URL is not set"] * 4 == said


def test_a_full_sync_is_begun_in_the_partition_of_its_day(ingest: IngestResource) -> None:
    found = scheduled(ingest, FULL)
    assert isinstance(found, dg.RunRequest)
    assert datetime.now(UTC).date().isoformat() == found.partition_key
    assert FULL == found.tags["ingest/mode"]


@pytest.mark.parametrize("mode", [SINCE, DELETES])
def test_what_follows_a_full_sync_waits_until_one_has_begun(ingest: IngestResource, mode: str) -> None:
    assert "no full sync has begun" == scheduled(ingest, mode)
    begun(ingest.ledger().syncs)
    assert isinstance(scheduled(ingest, mode), dg.RunRequest)


@pytest.mark.parametrize("mode", [FULL, SINCE, DELETES])
def test_no_second_sync_is_begun_beside_one_that_is_not_through(ingest: IngestResource, mode: str) -> None:
    syncs = ingest.ledger().syncs
    first = begun(syncs)
    through(syncs, first)
    open_one = begun(syncs, mode)
    assert f"the last {mode} sync is not through" == scheduled(ingest, mode)
    through(syncs, open_one)
    assert isinstance(scheduled(ingest, mode), dg.RunRequest)


def test_standing_checks_run_every_half_hour_and_are_those_that_time_alone_can_fail(
    ingest: IngestResource,
) -> None:
    made = build_standing_job(SPECS)
    (schedule,) = made.schedules or ()
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert ("*/30 * * * *", "wms_standing_checks") == (schedule.cron_schedule, schedule.job_name)
    assert isinstance(answer(schedule, ingest), dg.RunRequest)


def test_the_sensor_leaves_a_date_alone_whose_slices_somebody_reads(
    ingest: IngestResource, instance: dg.DagsterInstance
) -> None:
    syncs = ingest.ledger().syncs
    assert [] == asked(ingest, instance)
    sync = begun(syncs)
    ingest.plans().write(base_plan(SPEC, DAY))
    assert [READ] == asked(ingest, instance)
    claim = held(syncs, sync)
    assert [] == asked(ingest, instance)
    syncs.release(claim, "let go", seconds=0.0)
    assert [READ] == asked(ingest, instance)


def test_the_sensor_leaves_a_date_alone_that_somebody_delivers(
    ingest: IngestResource, instance: dg.DagsterInstance
) -> None:
    ledger = ingest.ledger()
    through(ledger.syncs, begun(ledger.syncs))
    ingest.plans().write(base_plan(SPEC, DAY))
    assert [DELIVER] == asked(ingest, instance)
    (chunk,) = ingest.view(SPEC, DAY).plan.chunks
    work = Work(chunk=chunk, stage="validated", identity="s", horizon=0)
    claim = ledger.claim(work, owner="by hand", lease=600.0)
    assert [] == asked(ingest, instance)
    # A new sync of the date is not read beside it either.
    begun(ledger.syncs, SINCE)
    assert [] == asked(ingest, instance)
    ledger.release(claim, "let go")
    assert [READ] == asked(ingest, instance)
