"""Many files in one run: what became of each, of the whole import, and of memory is seen in Dagster; one slot
is repaired alone."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from ingest_project.resources.process import own_rss
from ingest_project_tests.faults.deployed import PLANNED, STAGES, TABLE, VALIDATED
from ingest_project_tests.faults.world import DAY, lines, record, wrapped
from ingest_project_tests.orchestration.desk import Desk

pytestmark = pytest.mark.dagster


def drop(desk: Desk, count: int) -> str:
    """Files of one table, one of them cut off; its name."""
    table = desk.world.table
    for number in range(count):
        good = [record(f"f{number}-{each}", "a") for each in range(20 + number)]
        desk.world.put(DAY, f"{number}/{table}-dump.jsonl", lines(good), good)
    good = [record(f"bad-{each}", "a") for each in range(30)]
    content = wrapped(good)
    desk.world.put(DAY, f"bad/{table}-dump.json", content[: content.rindex(b'{"id"') + 40], good[:-1])
    return f"{table}-dump.json"


def import_status(desk: Desk) -> dict[str, Any]:
    """The latest observation of the day's plan."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(["messages", PLANNED]), asset_partitions=[DAY])
    seen = desk.instance.fetch_observations(wanted, limit=1).records[0].asset_observation
    assert seen is not None
    return {name: value.value for name, value in seen.metadata.items()}


def test_a_run_over_many_files_shows_each_of_them_and_one_that_failed_harms_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = drop(desk, 11)
    # This process is at about half of its budget: it takes less at once, and says so.
    monkeypatch.setenv("INGEST_MEMORY_BUDGET_MB", str(own_rss() // 2**20 * 2))
    desk.run(PLANNED)
    desk.run(VALIDATED)
    run = desk.run(TABLE)
    assert not run.is_success
    assert desk.world.expected() == desk.world.in_table()
    seen = import_status(desk)
    counts = {state: seen[f"files_{state}"] for state in ("loaded", "queued", "working", "failed")}
    assert {"loaded": 0, "queued": 11, "working": 0, "failed": 1} == counts
    first = seen["import_files"].splitlines()[2]
    assert (True, True) == (broken in first, "failed" in first)
    slot = next(slot for slot, state in desk.partition_states(VALIDATED).items() if state == "MATERIALIZED")
    found = desk.metadata(VALIDATED, slot)
    assert 0.4 <= found["memory_pressure"] < 0.8
    assert found["batch_rows"] in (500, 750)
    assert 0.0 == found["memory_paused_seconds"]


def test_the_slot_of_a_repaired_file_alone_ends_the_import(desk: Desk) -> None:
    broken = drop(desk, 3)
    desk.run(PLANNED)
    desk.run(VALIDATED)
    before = desk.requests()
    good = [record(f"bad-{each}", "a") for each in range(30)]
    desk.world.put(DAY, f"bad/{broken}", wrapped(good), good)
    desk.run(PLANNED)
    (slot,) = {chunk.slot for chunk in desk.plan().chunks if chunk.range.uri.endswith(broken)}
    assert desk.run(VALIDATED, first=slot, last=slot).is_success
    assert before == {work: count for work, count in desk.requests().items() if work in before}
    assert desk.run(*STAGES).is_success
    seen = import_status(desk)
    assert (4, 1.0) == (seen["files_loaded"], seen["import_done"])
