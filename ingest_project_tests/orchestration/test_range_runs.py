"""Runs over all slots of a date: each slot succeeds or fails by itself, and what is repaired or late is all
that is
done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import dagster as dg
import pytest

from ingest_project.core.model import ChunkPlan, WorkStatus
from ingest_project.io_managers import live, work
from ingest_project.testing.fault_scripts import error, in_order
from ingest_project_tests.entities.messages.serving import serving
from ingest_project_tests.faults.deployed import INDEX, PLANNED, SLOTS, STAGES, TABLE, VALIDATED
from ingest_project_tests.faults.world import DAY, lines, record, wrapped
from ingest_project_tests.orchestration.desk import Desk

pytestmark = pytest.mark.dagster

FAILED, DONE = "FAILED", "MATERIALIZED"


def records(count: int, place: str) -> list[bytes]:
    return [record(f"{place}{number}", f"{place}.{number}") for number in range(count)]


def drop_one_truncated_among_good(desk: Desk) -> dict[str, list[bytes]]:
    """Three files for three tables; the one in the middle breaks off inside its last record."""
    made = {name: records(count, name) for name, count in (("ones", 60), ("twos", 40), ("tres", 20))}
    for name, good in made.items():
        content, arrived = wrapped(good), good
        if name == "twos":
            content, arrived = content[: content.rindex(b'{"id"') + 40], good[:-1]
        desk.world.put(DAY, f"{desk.table(name)}-dump.json", content, arrived)
    return made


def slot_of(plan: ChunkPlan, table: str) -> int:
    (chunk,) = [chunk for chunk in plan.chunks if chunk.target == table]
    return chunk.slot


def states(desk: Desk, stage: str) -> dict[int, str]:
    return {slot: state for slot, state in desk.partition_states(stage).items() if state}


def of_table(rows: Mapping[tuple[str, str], WorkStatus], stage: str, table: str) -> WorkStatus:
    (row,) = [row for (of, _), row in rows.items() if of == stage and row.target == table]
    return row


def test_of_a_range_exactly_the_slot_of_a_truncated_file_fails_and_what_it_had_is_loaded(desk: Desk) -> None:
    good = drop_one_truncated_among_good(desk)
    assert desk.run(PLANNED).is_success
    bad = slot_of(desk.plan(), desk.table("twos"))
    assert not desk.run(VALIDATED).is_success
    assert not desk.run(TABLE, INDEX).is_success
    for stage in STAGES:
        expected = {slot: FAILED if slot == bad else DONE for slot in range(SLOTS)}
        assert expected == states(desk, stage)
    for name in good:
        table = desk.table(name)
        assert desk.world.expected(table) == desk.world.in_table(table)
        assert desk.world.expected(table) == desk.world.in_index(table)
    for stage in STAGES:
        row = of_table(desk.rows(), stage, desk.table("twos"))
        assert ("failed", 39, 39, True) == (
            row.state,
            row.counts.sent,
            row.counts.written,
            row.counts.balanced,
        )
        assert "byte" in row.reason


def test_a_failed_slot_of_one_stage_stops_no_good_slot_of_the_next(desk: Desk) -> None:
    """The whole load is cut short by Dagster where a slot failed; the second run delivers what is good."""
    drop_one_truncated_among_good(desk)
    desk.run(PLANNED)
    assert not desk.run(*STAGES).is_success
    assert {} == desk.world.in_table(desk.table("ones"))
    assert desk.ingest.view(desk.spec, DAY).has_open()
    desk.run(TABLE, INDEX)
    assert not desk.ingest.view(desk.spec, DAY).has_open()
    assert desk.world.expected(desk.table("ones")) == desk.world.in_table(desk.table("ones"))


def test_a_good_file_in_its_place_and_the_failed_partition_alone_repair_the_date(desk: Desk) -> None:
    good = drop_one_truncated_among_good(desk)
    table = desk.table("twos")
    desk.run(PLANNED)
    bad = slot_of(desk.plan(), table)
    desk.run(VALIDATED)
    desk.run(TABLE, INDEX)
    before = desk.requests()
    desk.world.put(DAY, f"{table}-dump.json", wrapped(good["twos"]), good["twos"])
    assert desk.run(PLANNED).is_success
    assert bad == slot_of(desk.plan(), table)
    assert desk.run(*STAGES, first=bad, last=bad).is_success
    for stage in STAGES:
        assert dict.fromkeys(range(SLOTS), DONE) == states(desk, stage)
    assert desk.world.expected(table) == desk.world.in_table(table)
    assert desk.world.expected(table) == desk.world.in_index(table)
    after = desk.requests()
    assert before == {work: count for work, count in after.items() if work in before}
    assert "nothing_left_failed" in desk.checks_passed(desk.run(PLANNED))


def test_a_replaced_file_takes_the_slots_of_the_old_one_when_all_slots_are_taken(desk: Desk) -> None:
    sizes = {f"file{number}": 20 + 10 * number for number in range(SLOTS + 2)}
    for name, count in sizes.items():
        desk.world.put(DAY, f"{desk.table(name)}-dump.json", wrapped(records(count, name)), ())
    desk.run(PLANNED)
    table = desk.table("file7")
    slot = slot_of(desk.plan(), table)
    desk.world.put(DAY, f"{table}-dump.json", wrapped(records(91, "new")), ())
    desk.run(PLANNED)
    assert slot == slot_of(desk.plan(), table)


def test_an_empty_slot_materializes_with_no_rows(desk: Desk) -> None:
    desk.world.put(DAY, f"{desk.table('ones')}-dump.json", wrapped(records(5, "a")), ())
    desk.run(PLANNED)
    desk.run(*STAGES)
    for stage in STAGES:
        counts = {slot: desk.metadata(stage, slot)["dagster/row_count"] for slot in range(SLOTS)}
        assert {0: 5} | dict.fromkeys(range(1, SLOTS), 0) == counts


def test_a_day_without_files_plans_and_loads_nothing(desk: Desk) -> None:
    assert desk.run(PLANNED).is_success
    assert desk.run(*STAGES).is_success
    assert dict.fromkeys(range(SLOTS), DONE) == states(desk, INDEX)
    assert {} == desk.rows()


@pytest.mark.parametrize("lost", ["manifest.json", ".jsonl.zst", ".side"])
def test_validated_records_that_are_gone_are_validated_again_and_not_sent_again(
    desk: Desk, lost: str
) -> None:
    good, bad = records(40, "a"), b'{"noid":1}'
    world = desk.world
    world.put(DAY, f"{world.table}-dump.jsonl", lines([*good, bad]), good)
    desk.run(PLANNED)
    desk.run(*STAGES)
    before = desk.rows()
    stored = world.stored_below(f"stages/messages/validated/date={DAY}/")
    (name,) = [key for key in stored if key.endswith(lost)]
    world.s3.delete_object(Bucket=world.bucket, Key=name)
    assert desk.run(*STAGES).is_success
    assert stored == world.stored_below(f"stages/messages/validated/date={DAY}/")
    after = desk.rows()
    assert [row.counts for row in before.values()] == [row.counts for row in after.values()]
    assert [letter.raw for letter in desk.ingest.ledger().dead_letters.each()] == [bad]


def test_a_file_that_changed_since_it_was_planned_fails_its_slot_until_it_is_planned_again(
    desk: Desk,
) -> None:
    table = desk.world.table
    desk.world.put(DAY, f"{table}-dump.jsonl", lines(records(10, "a")), ())
    desk.run(PLANNED)
    good = records(12, "b")
    desk.world.put(DAY, f"{table}-dump.jsonl", lines(good), good)
    assert not desk.run(*STAGES).is_success
    assert FAILED == states(desk, VALIDATED)[0]
    assert {} == desk.world.in_table()
    desk.run(PLANNED)
    assert desk.run(*STAGES, first=0, last=0).is_success
    assert desk.world.expected() == desk.world.in_table()


def test_a_step_goes_on_after_an_outage_that_outlasts_its_requests(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests give up after two attempts; the step is tried again and sends only what is not durable."""
    good, table = records(40, "a"), desk.world.table
    desk.world.put(DAY, f"{table}-dump.jsonl", lines(good), good)
    monkeypatch.setattr(work, "RETRY_SECONDS", 0.1)
    monkeypatch.setenv("INGEST_RETRY_ATTEMPTS", "2")
    monkeypatch.setenv("INGEST_IN_FLIGHT", "1")
    outage = in_order(None, *[error("InternalServerError", status=500)] * 3)
    with serving(outage, table) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        desk.run(PLANNED)
        run = desk.run(VALIDATED, TABLE, no_checks=True)
        assert run.is_success
        restarts = desk.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_RESTARTED)
        assert 1 == len(restarts)
        assert (40, 40) == (len(server.tables.items[table]), server.tables.puts)
    (row,) = [row for (stage, _), row in desk.rows().items() if stage == TABLE]
    assert ("sealed", 40) == (row.state, row.counts.written)


def test_one_partition_from_the_user_interface_loads_that_slot_only(desk: Desk) -> None:
    for name in ("ones", "twos"):
        good = records(10, name)
        desk.world.put(DAY, f"{desk.table(name)}-dump.jsonl", lines(good), good)
    desk.run(PLANNED)
    slot = slot_of(desk.plan(), desk.table("twos"))
    assert desk.run(*STAGES, first=slot, last=slot).is_success
    assert {slot: DONE} == states(desk, TABLE)
    assert {} == desk.world.in_table(desk.table("ones"))
    assert desk.world.expected(desk.table("twos")) == desk.world.in_table(desk.table("twos"))


def test_a_late_file_plans_and_loads_only_itself(desk: Desk) -> None:
    first, late = records(30, "first"), records(20, "late")
    table = desk.table("ones")
    desk.world.put(DAY, f"a/{table}-dump.json", wrapped(first), first)
    desk.run(PLANNED)
    desk.run(*STAGES)
    planned, before = desk.plan(), desk.rows()
    desk.world.put(DAY, f"b/{table}-dump.json", wrapped(late), late)
    desk.run(PLANNED)
    assert 1 == desk.plan_metadata()["files_added"]
    assert set(planned.chunks) < set(desk.plan().chunks)
    assert desk.run(*STAGES).is_success
    assert before == {work: row for work, row in desk.rows().items() if work in before}
    assert desk.world.expected(table) == desk.world.in_table(table)
    (new,) = set(desk.plan().chunks) - set(planned.chunks)
    assert 20 == desk.metadata(TABLE, new.slot)["written"]


def test_a_run_has_two_events_a_slot_and_stage_and_few_beside_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs a transaction of Dagster's: planned and materialized a slot, and what a step has itself."""
    for gap in ("MIN_GAP_SECONDS", "SLOTS_GAP_SECONDS"):
        monkeypatch.setattr(live, gap, float("inf"))
    desk.world.put(DAY, f"{desk.table('ones')}-dump.json", wrapped(records(20, "ones")), records(20, "ones"))
    assert desk.run(PLANNED).is_success
    run = desk.run(*STAGES, no_checks=True)
    assert run.is_success
    kinds = Counter(entry.dagster_event_type for entry in desk.instance.all_logs(run.run_id))
    of_slots = (dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert [len(STAGES) * SLOTS] * 2 == [kinds.pop(kind) for kind in of_slots]
    assert sum(kinds.values()) <= 8 + 8 * len(STAGES)
    for stage in STAGES:
        assert {DONE} == set(states(desk, stage).values())
