"""Each check passes over a good load, and fails when its border is broken on purpose; a blocking one stops
what
follows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import dagster as dg
import pytest

from ingest_project_tests.faults.deployed import PLANNED, STAGES, TABLE, VALIDATED
from ingest_project_tests.faults.world import DAY, DIGITS, World, lines, record, wrapped
from ingest_project_tests.orchestration.desk import Desk, operated

Harm = Callable[[Desk], AbstractContextManager[None]]
"""Breaks something for the length of a block."""

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


@pytest.fixture(scope="module")
def loaded(make_world: Callable[[], World]) -> Iterator[Desk]:
    """One load for all tests that harm it: each harm undoes itself."""
    with operated(make_world()) as desk:
        drop_two_files(desk)
        assert desk.run(PLANNED).is_success
        assert desk.run(*STAGES).is_success
        yield desk


def no_object(ending: str) -> Harm:
    """An object of the validated parts is gone."""

    @contextmanager
    def harm(desk: Desk) -> Iterator[None]:
        world = desk.world
        key = next(key for key in world.stored_below(PARTS) if key.endswith(ending))
        content = world.stored(key)
        assert content is not None
        world.s3.delete_object(Bucket=world.bucket, Key=key)
        yield
        world.s3.put_object(Bucket=world.bucket, Key=key, Body=content)

    return harm


def moved(change: str, back: str) -> Harm:
    """The ledger's rows are not what they were."""

    @contextmanager
    def harm(desk: Desk) -> Iterator[None]:
        for statement, then in ((change, True), (back, False)):
            with closing(sqlite3.connect(desk.world.home / "ledger.db")) as ledger, ledger:
                assert ledger.execute(statement).rowcount >= 1
            if then:
                yield

    return harm


def lost_count(stage: str) -> Harm:
    rows = f"where stage = '{stage}' and sent > 0"
    return moved(
        f"update ingest_works set written = written - 1 {rows}",
        f"update ingest_works set written = written + 1 {rows}",
    )


LOST_REJECTION = (
    "update ingest_rejections set chunk = 'elsewhere:' || chunk where stage = 'validated'",
    "update ingest_rejections set chunk = replace(chunk, 'elsewhere:', '') where stage = 'validated'",
)


def other_item(change: Mapping[str, Any] | None) -> Harm:
    """An item of the table is gone, or has other attributes."""

    @contextmanager
    def harm(desk: Desk) -> Iterator[None]:
        database, table = desk.world.dynamodb, desk.world.table
        item = database.get_item(TableName=table, Key={"id": {"S": "a7"}})["Item"]
        if change is None:
            database.delete_item(TableName=table, Key={"id": {"S": "a7"}})
        else:
            database.put_item(TableName=table, Item={**item, **change})
        yield
        database.put_item(TableName=table, Item=item)

    return harm


def other_document(change: Mapping[str, Any] | None) -> Harm:
    """A document of the index is gone, or has other fields."""

    @contextmanager
    def harm(desk: Desk) -> Iterator[None]:
        path = f"/{desk.world.table}/_doc/a7?refresh=true"
        document = desk.world.raw_document("a7")
        if change is None:
            desk.world.search("DELETE", path)
        else:
            desk.world.search("PUT", path, {"id": "a7", **change})
        yield
        desk.world.search("PUT", path, document)

    return harm


def test_a_good_load_passes_every_check_but_the_share_of_rejections(loaded: Desk) -> None:
    found = loaded.checks(loaded.run(*STAGES))
    # 1 of 35 records is refused, more than one in a hundred.
    assert dict.fromkeys(ALL, True) | {"validated_meets_expectations": False} == found


@pytest.mark.parametrize(
    "harm",
    [no_object(".jsonl.zst"), no_object(".side"), no_object("manifest.json"), moved(*LOST_REJECTION)],
    ids=["no lines", "no keys", "no manifest", "no rejection"],
)
def test_harm_to_what_was_validated_fails_exactly_the_check_of_its_border(loaded: Desk, harm: Harm) -> None:
    with harm(loaded):
        found = loaded.checks(loaded.run(VALIDATED, only_checks=True))
    assert {"validated_reconciles": False, "validated_meets_expectations": False} == found


@pytest.mark.parametrize(
    ("harm", "failing"),
    [
        (lost_count("table"), "table_reconciles"),
        (other_item(None), "table_reads_back"),
        (other_item({"big": {"N": DIGITS[:-1] + "9"}}), "table_reads_back"),
        (lost_count("index"), "index_reconciles"),
        (other_document(None), "index_reads_back"),
        (other_document({"place": "elsewhere"}), "index_reads_back"),
    ],
    ids=["count of table", "no item", "one digit", "count of index", "no document", "other document"],
)
def test_harm_to_a_target_fails_exactly_the_check_of_its_border(
    loaded: Desk, harm: Harm, failing: str
) -> None:
    with harm(loaded):
        found = loaded.checks(loaded.run("table", "index"))
    assert ALL - {"validated_reconciles", "validated_meets_expectations"} == set(found)
    assert {failing} == {name for name, passed in found.items() if not passed}


def test_what_was_harmed_and_mended_passes_again(loaded: Desk) -> None:
    assert loaded.run(*STAGES).is_success


def test_a_failed_blocking_check_stops_what_follows(desk: Desk) -> None:
    drop_two_files(desk)
    desk.run(PLANNED)
    desk.run(VALIDATED)
    with moved(*LOST_REJECTION)(desk):
        run = desk.run(*STAGES)
    assert dg.DagsterRunStatus.FAILURE == run.status
    assert not {step for step in desk.steps(run) if "table" in step or "index" in step}
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
