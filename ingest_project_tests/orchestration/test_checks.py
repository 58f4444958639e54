"""Each check passes over a good load, and fails when its border is broken on purpose; a blocking one stops
what
follows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import dagster as dg
import pytest

from ingest_project_tests.faults.deployed import PLANNED, STAGES, TABLE, VALIDATED
from ingest_project_tests.faults.world import DAY, lines, record, wrapped
from ingest_project_tests.orchestration.desk import Desk

pytestmark = pytest.mark.dagster

ALL = {
    "validated_reconciles",
    "validated_meets_expectations",
    "table_reconciles",
    "table_reads_back",
    "index_reconciles",
    "index_reads_back",
}
PARTS = f"stages/messages/validated/date={DAY}/"


def drop_two_files(desk: Desk) -> None:
    """Few records, so that every sample is all of them; one is refused, and some are superseded."""
    first = [record(f"a{number % 20}", f"a.{number}") for number in range(30)]
    second = [record(f"a{number}", f"b.{number}") for number in range(0, 20, 5)]
    world = desk.world
    world.put(DAY, f"a/{world.table}-dump.json", wrapped(first), first)
    world.put(DAY, f"b/{world.table}-dump.jsonl", lines([*second, b'{"noid":true}']), second)


@pytest.fixture
def loaded(desk: Desk) -> Desk:
    drop_two_files(desk)
    assert desk.run(PLANNED).is_success
    assert desk.run(*STAGES).is_success
    return desk


def delete_a_part(desk: Desk) -> None:
    name = next(key for key in desk.world.stored_below(PARTS) if key.endswith(".jsonl.zst"))
    desk.world.s3.delete_object(Bucket=desk.world.bucket, Key=name)


def delete_a_manifest(desk: Desk) -> None:
    name = next(key for key in desk.world.stored_below(PARTS) if key.endswith("manifest.json"))
    desk.world.s3.delete_object(Bucket=desk.world.bucket, Key=name)


def remove_a_rejection(desk: Desk) -> None:
    with sqlite3.connect(desk.world.home / "ledger.db") as ledger:
        assert 1 == ledger.execute("delete from ingest_rejections where stage = 'validated'").rowcount
    ledger.close()


def lose_a_count(stage: str) -> Callable[[Desk], None]:
    def lose(desk: Desk) -> None:
        with sqlite3.connect(desk.world.home / "ledger.db") as ledger:
            changed = ledger.execute(
                "update ingest_works set written = written - 1 where stage = ? and written > 0", (stage,)
            )
            assert 1 <= changed.rowcount
        ledger.close()

    return lose


def delete_an_item(desk: Desk) -> None:
    desk.world.dynamodb.delete_item(TableName=desk.world.table, Key={"id": {"S": "a7"}})


def change_one_digit_of_an_item(desk: Desk) -> None:
    desk.world.dynamodb.update_item(
        TableName=desk.world.table,
        Key={"id": {"S": "a7"}},
        UpdateExpression="SET big = :big",
        ExpressionAttributeValues={":big": {"N": "12345678901234567890123456789.012345679"}},
    )


def alter_a_document(desk: Desk) -> None:
    desk.world.search("PUT", f"/{desk.world.table}/_doc/a7?refresh=true", {"id": "a7", "place": "elsewhere"})


def delete_a_document(desk: Desk) -> None:
    desk.world.search("DELETE", f"/{desk.world.table}/_doc/a7?refresh=true")


def test_a_good_load_passes_every_check_but_the_share_of_rejections(loaded: Desk) -> None:
    found = loaded.checks(loaded.run(*STAGES))
    # 1 of 35 records is refused, more than one in a hundred.
    assert dict.fromkeys(ALL, True) | {"validated_meets_expectations": False} == found


@pytest.mark.parametrize(
    ("harm", "failing"),
    [
        (delete_a_part, {"validated_reconciles"}),
        (delete_a_manifest, {"validated_reconciles"}),
        (remove_a_rejection, {"validated_reconciles"}),
    ],
)
def test_harm_to_what_was_validated_fails_its_check_and_stops_what_follows(
    loaded: Desk, harm: Callable[[Desk], None], failing: set[str]
) -> None:
    harm(loaded)
    run = loaded.run(*STAGES)
    assert dg.DagsterRunStatus.FAILURE == run.status
    found = loaded.checks(run)
    assert failing == {name for name, passed in found.items() if not passed} - {
        "validated_meets_expectations"
    }
    assert not {step for step in loaded.steps(run) if "table" in step or "index" in step}


@pytest.mark.parametrize(
    ("harm", "failing"),
    [
        (lose_a_count("table"), "table_reconciles"),
        (lose_a_count("index"), "index_reconciles"),
        (delete_an_item, "table_reads_back"),
        (change_one_digit_of_an_item, "table_reads_back"),
        (alter_a_document, "index_reads_back"),
        (delete_a_document, "index_reads_back"),
    ],
)
def test_harm_to_a_target_fails_exactly_the_check_of_its_border(
    loaded: Desk, harm: Callable[[Desk], None], failing: str
) -> None:
    harm(loaded)
    found = loaded.checks(loaded.run("table", "index"))
    assert ALL - {"validated_reconciles", "validated_meets_expectations"} == set(found)
    assert {failing} == {name for name, passed in found.items() if not passed}


def test_a_blocked_load_writes_nothing_into_an_empty_table(desk: Desk) -> None:
    drop_two_files(desk)
    desk.run(PLANNED)
    desk.run(VALIDATED)
    remove_a_rejection(desk)
    assert not desk.run(*STAGES).is_success
    assert {} == desk.world.in_table()
    assert not desk.rows().keys() & {(TABLE, chunk.id) for chunk in desk.plan().chunks}


def test_a_check_of_one_slot_does_not_ask_for_the_others(desk: Desk) -> None:
    drop_two_files(desk)
    desk.run(PLANNED)
    found = desk.checks(desk.run(*STAGES, first=0, last=0))
    assert dict.fromkeys(ALL, True) == found


def test_records_that_the_index_refused_are_no_difference(desk: Desk) -> None:
    good = [b'{"id":"a","v":{"is":"an object"}}', b'{"id":"b","v":"a text"}', b'{"id":"c","v":{"is":"one"}}']
    desk.world.put(DAY, f"{desk.world.table}-dump.jsonl", lines(good), good)
    desk.run(PLANNED)
    found = desk.checks(desk.run(*STAGES))
    assert 2 == len(desk.world.in_index())
    assert 3 == len(desk.world.in_table())
    assert (True, True) == (found["index_reconciles"], found["index_reads_back"])


def test_a_chunk_that_stands_failed_is_told_by_the_standing_check(desk: Desk) -> None:
    good = [record(f"a{number}", "a") for number in range(5)]
    desk.world.put(DAY, f"{desk.world.table}-dump.json", wrapped(good)[:-30], good[:-1])
    assert {"nothing_left_failed"} == desk.checks_passed(desk.run(PLANNED))
    desk.run(VALIDATED)
    assert set() == desk.checks_passed(desk.run(PLANNED))
