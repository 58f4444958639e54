"""Law 11 through Dagster: for one key the last record in order of date, file and place wins, come what may.

The same keys stand inside one batch, in batches that are in flight together, in several chunks of a file, in
several files of a day and on several days. Table and index are compared here with what the files alone say;
most loads do without the checks, which have tests of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ingest_project.ledgers.sql import SqlLedger
from ingest_project_tests.faults.deployed import PLANNED, STAGES, TABLE
from ingest_project_tests.faults.launcher import KILLED, Attempt, Launcher, launching, moments
from ingest_project_tests.faults.world import DAY, NEXT_DAY, World, lines, record, wrapped, zipped

pytestmark = [pytest.mark.dagster, pytest.mark.slow]

DAYS = (DAY, NEXT_DAY)


def drop_dumps(world: World) -> None:
    """About 450 records of which some 200 win."""
    world.turned |= {"INGEST_DYNAMODB_BATCH_ITEMS": "25", "INGEST_OPENSEARCH_BATCH_ITEMS": "50"}
    name = world.table
    # Two neighbours share a key (inside a batch), as do records 100 apart (batches in flight) and in other
    # chunks; every third key stands alone.
    first = [
        record(f"u{number}" if number % 3 == 0 else f"k{number // 2 % 50}", f"1a{number}", pad=9000)
        for number in range(270)
    ]
    second = [record(f"k{number % 60}", f"1b{number}") for number in range(80)]
    third = [record(f"k{number * 3 % 45}", f"2a{number}") for number in range(60)]
    fourth = [record(f"k{number}", f"2b{number}", kind="typed") for number in range(20, 30)]
    world.put(DAY, f"a/{name}-dump.json", wrapped(first), first)
    world.put(DAY, f"b/{name}-dump.jsonl", lines(second), second)
    world.put(NEXT_DAY, f"a/{name}-dump.json.gz", zipped(wrapped(third)), third)
    world.put(NEXT_DAY, f"b/{name}-dump.json", wrapped(fourth), fourth)


def run(launcher: Launcher, world: World, *stages: str, **words: Any) -> Attempt:
    return launcher.run(world, stages, **{"no_checks": True, **words})


def load(launcher: Launcher, world: World, day: str, across: str = "newer_only", **words: Any) -> None:
    """Plan and load a day; both must succeed."""
    for stages in ((PLANNED,), STAGES):
        assert "SUCCESS" == run(launcher, world, *stages, day=day, across_dates=across, **words).result


def assert_last_records_stand(world: World) -> None:
    expected = world.expected()
    assert expected == world.in_table()
    assert expected == world.in_index()


def totals(world: World, stage: str, days: Sequence[str] = DAYS) -> tuple[int, int, int]:
    """(sent, written, superseded) of the ledger, whose rows must all be sealed and balanced."""
    ledger = SqlLedger(f"sqlite:///{world.home / 'ledger.db'}")
    rows = [row for row in ledger.status("messages") if row.stage == stage and row.date in days]
    ledger.close()
    assert all(row.state == "sealed" and row.counts.balanced for row in rows)
    counts = [row.counts for row in rows]
    return (
        sum(count.sent for count in counts),
        sum(count.written for count in counts),
        sum(count.superseded for count in counts),
    )


def winners(world: World, days: Sequence[str]) -> int:
    return len(world.expected(days=days))


def record_count(world: World, days: Sequence[str] = DAYS) -> int:
    return sum(len(good) for (day, _, _), good in world.good.items() if day in days)


@pytest.mark.parametrize("workers", [1, 2])
def test_days_in_order_end_with_the_last_record_of_each_key(
    world: World, launcher: Launcher, workers: int
) -> None:
    drop_dumps(world)
    load(launcher, world, DAY, workers=workers)
    load(launcher, world, NEXT_DAY, no_checks=False)
    assert_last_records_stand(world)
    for stage in ("table", "index"):
        for day in DAYS:
            count, kept = record_count(world, [day]), winners(world, [day])
            assert (count, kept, count - kept) == totals(world, stage, [day])


def test_an_older_day_that_is_loaded_later_overwrites_nothing_newer(world: World, launcher: Launcher) -> None:
    drop_dumps(world)
    for day in reversed(DAYS):
        load(launcher, world, day)
    assert_last_records_stand(world)
    count, kept = record_count(world), winners(world, DAYS)
    for stage in ("table", "index"):
        assert (count, kept, count - kept) == totals(world, stage)


def test_an_older_day_that_is_loaded_later_overwrites_where_the_entity_says_so(
    world: World, launcher: Launcher
) -> None:
    drop_dumps(world)
    for day in reversed(DAYS):
        load(launcher, world, day, across="overwrite")
    expected = world.expected(days=[NEXT_DAY]) | world.expected(days=[DAY])
    assert expected != world.expected()
    assert expected == world.in_table()
    assert expected == world.in_index()
    for day in DAYS:
        count, kept = record_count(world, [day]), winners(world, [day])
        assert (count, kept, count - kept) == totals(world, "table", [day])


def test_late_files_of_a_day_take_their_places_in_the_order(world: World, launcher: Launcher) -> None:
    """They lose to what stands behind them by name, though that was loaded before, and to the newer day."""
    drop_dumps(world)
    for day in DAYS:
        load(launcher, world, day)
    for place in ("z-late", "0-early"):
        late = [record(f"k{number}", f"{place}{number}") for number in range(0, 70, 2)]
        world.put(DAY, f"{place}/{world.table}-dump.jsonl", lines(late), late)
        load(launcher, world, DAY)
        assert_last_records_stand(world)


@pytest.mark.parametrize("number", range(2))
def test_a_load_that_is_killed_and_repeated_ends_as_one_that_was_not(
    world: World, launcher: Launcher, number: int
) -> None:
    """One worker: each day's load dies once, the newer day's first."""
    drop_dumps(world)
    for day in reversed(DAYS):
        assert "SUCCESS" == run(launcher, world, PLANNED, day=day).result
        moment = moments(f"order {day}", 90, 2)[number]
        first = run(launcher, world, *STAGES, day=day, kill_at=moment)
        assert KILLED == first.status
        assert "SUCCESS" == run(launcher, world, *STAGES, day=day, root=first.run_id).result
    assert_last_records_stand(world)
    count, kept = record_count(world), winners(world, DAYS)
    assert (count, kept, count - kept) == totals(world, "table")


def first_seal(world: World, stage: str) -> Callable[[], bool]:
    """Whether a chunk of the stage is sealed, as another process sees it."""
    ledger = SqlLedger(f"sqlite:///{world.home / 'ledger.db'}")

    def sealed() -> bool:
        return any(row.stage == stage for row in ledger.status("messages", state="sealed"))

    return sealed


def test_a_load_by_several_workers_that_is_killed_and_repeated_overwrites_nothing_newer(
    world: World, launcher: Launcher
) -> None:
    """The workers die with their parent: none of them writes on while the second attempt runs."""
    drop_dumps(world)
    load(launcher, world, NEXT_DAY)
    assert "SUCCESS" == run(launcher, world, PLANNED).result
    # Its checks come behind the table: it cannot end before the kill.
    first = launcher.run(world, STAGES, workers=3, kill_when=first_seal(world, TABLE))
    assert KILLED == first.status
    assert "SUCCESS" == run(launcher, world, *STAGES, workers=3, root=first.run_id).result
    assert_last_records_stand(world)
    count, kept = record_count(world), winners(world, DAYS)
    assert (count, kept, count - kept) == totals(world, "index")


def test_two_days_that_are_loaded_at_the_same_time_end_as_one_after_the_other(
    world: World, launcher: Launcher
) -> None:
    drop_dumps(world)
    for day in DAYS:
        assert "SUCCESS" == run(launcher, world, PLANNED, day=day).result
    with launching() as other, ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(run, one, world, *STAGES, day=day)
            for one, day in ((launcher, DAY), (other, NEXT_DAY))
        ]
        assert ["SUCCESS", "SUCCESS"] == [one.result().result for one in runs]
    assert_last_records_stand(world)


def test_two_runs_over_one_day_share_its_work_and_do_none_of_it_twice(
    world: World, launcher: Launcher
) -> None:
    drop_dumps(world)
    assert "SUCCESS" == run(launcher, world, PLANNED).result
    with launching() as other, ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, one, world, *STAGES) for one in (launcher, other)]
        both = [one.result() for one in runs]
    assert ["SUCCESS", "SUCCESS"] == [one.result for one in both]
    expected = world.expected(days=[DAY])
    assert expected == world.in_table()
    assert expected == world.in_index()
    for door in ("to_table", "to_index"):
        assert len(expected) == sum(one.items(door) for one in both)
