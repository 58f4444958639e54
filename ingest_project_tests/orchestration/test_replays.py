"""Rejections once more from the UI: the asset ``replayed``, the check that judges what is left, its job."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from ingest_project.core.entity import Expectation
from ingest_project.core.replaying import is_replay
from ingest_project.ledgers.rejections import UNSETTLED, Selection
from ingest_project.orchestration.checks import EXPECTED
from ingest_project.resources.replaying.letters import export
from ingest_project_tests.faults.deployed import PLANNED, STAGES, definitions, only_our_warnings
from ingest_project_tests.faults.world import DAY, lines, record
from ingest_project_tests.orchestration.desk import Desk

pytestmark = pytest.mark.dagster


def replay(desk: Desk, **words: str) -> dg.DagsterRun:
    """A run of the job for the day."""
    with only_our_warnings():
        job = definitions().resolve_job_def("messages_replay")
        run = desk.instance.create_run_for_job(
            job_def=job,
            run_id=str(uuid.uuid4()),
            tags={**job.run_tags, "dagster/partition": DAY},
            run_config={"ops": {"messages__replayed": {"config": words}}},
        )
        for _ in execute_run_iterator(InMemoryJob(job), run, desk.instance):
            pass
    ended = desk.instance.get_run_by_id(run.run_id)
    assert ended is not None
    return ended


def corrections(desk: Desk, path: Path, change: dict[str, bytes]) -> Path:
    """Export the open rejections and correct some: the text that has a word becomes another record."""
    letters = desk.ingest.ledger().dead_letters
    export(letters.each(Selection(states=UNSETTLED)), path)
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    for row in rows:
        for word, good in change.items():
            if word in row["record"]:
                row["record"] = good.decode()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def last_verdict(desk: Desk) -> bool:
    key = dg.AssetCheckKey(dg.AssetKey(["messages", "validated"]), EXPECTED)
    (latest,) = desk.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert latest.event is not None
    event = latest.event.dagster_event
    assert event is not None
    return event.asset_check_evaluation_data.passed


def test_corrected_records_of_a_date_arrive_once_and_close_their_rejections(
    desk: Desk, tmp_path: Path
) -> None:
    world = desk.world
    first, between, last = record("a", "first"), record("a", "corrected"), record("a", "last")
    other, more = record("b", "corrected"), [record(f"m{number}", "m") for number in range(7)]
    content = lines([first, b'{"bad":"one"}', last, b'{"bad":"two"}', b'{"bad":"three"}', *more])
    world.put(DAY, f"a/{world.table}-dump.jsonl", content, [first, between, last, other, *more])
    assert desk.run(PLANNED).is_success
    assert not desk.checks(desk.run(*STAGES))[EXPECTED]
    path = corrections(desk, tmp_path / "bad.jsonl", {"one": between, "two": other})
    assert replay(desk, corrections=str(path)).is_success
    assert world.expected(world.table) == world.in_table(world.table)
    assert world.expected(world.table) == world.in_index(world.table)
    states = [letter.state for letter in desk.ingest.ledger().dead_letters.list()]
    assert ["loaded", "loaded", "open"] == states
    found = desk._latest("replayed", DAY)
    wanted = {"taken": 2, "loaded": 2, "rejections_open": 1, "rejections_loaded": 2}
    assert wanted == {name: found[name] for name in wanted}
    assert "three" in found["rejections"]
    assert not last_verdict(desk)
    path.unlink()
    path = corrections(desk, path, {"three": record("c", "corrected")})
    assert replay(desk, corrections=str(path), by="me").is_success
    assert last_verdict(desk)
    assert 2 == sum(map(is_replay, desk.plan().chunks))
    before = desk.requests()
    assert desk.run(PLANNED).is_success
    found = desk.checks(desk.run(*STAGES))
    assert (dict.fromkeys(found, True), before) == (found, desk.requests())


def test_a_table_that_was_made_anew_gets_replayed_records_too(desk: Desk, tmp_path: Path) -> None:
    world = desk.world
    good, corrected = record("a", "good"), record("b", "corrected")
    world.put(DAY, f"a/{world.table}-dump.jsonl", lines([good, b'{"bad":1}']), [good, corrected])
    desk.run(PLANNED)
    desk.run(*STAGES)
    path = corrections(desk, tmp_path / "bad.jsonl", {"bad": corrected})
    assert replay(desk, corrections=str(path)).is_success
    world.dynamodb.delete_table(TableName=world.table)
    world.dynamodb.create_table(
        TableName=world.table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert desk.run("table").is_success
    assert world.expected(world.table) == world.in_table(world.table)


@pytest.mark.parametrize(
    ("limits", "read", "rejected", "fails", "warns"),
    [
        ({}, 100, 1, 0, 0),
        ({}, 100, 2, 0, 1),
        ({}, 0, 0, 0, 0),
        ({"min_records": 101}, 100, 0, 1, 0),
        ({"max_rejected": 3}, 1000, 3, 0, 0),
        ({"max_rejected": 3}, 1000, 4, 0, 1),
        ({"fail_rejected": 9, "max_rejected": 3, "max_rejected_share": 1.0}, 100, 10, 1, 1),
        ({"fail_rejected_share": 0.05}, 100, 6, 1, 1),
        ({"fail_rejected_share": 0.05}, 100, 5, 0, 1),
    ],
)
def test_limits_decide_between_warning_and_failing(
    limits: dict[str, float], read: int, rejected: int, fails: int, warns: int
) -> None:
    verdict = Expectation(**limits).verdict(read, rejected)
    assert (fails, warns) == (len(verdict.fails), len(verdict.warns))
