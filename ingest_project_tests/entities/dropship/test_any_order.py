"""Rows of the same orders over any chunks, files and days, loaded in any order and again: one outcome.

And what holds the passes apart: the lock of a slot, kills at every point, requests that fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.errors import ChunkBusy, LeaseLost, TransientFailure
from ingest_project.core.model import Work
from ingest_project.entities.dropship.books import Item, journal_of, order_of, sides
from ingest_project.entities.dropship.passes import lock_chunk, lock_of
from ingest_project.entities.dropship.posting import ORDERS, SlotLock
from ingest_project.entities.dropship.touched import SLOTS, rank_of
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, inline
from ingest_project.testing.faults import Killed
from ingest_project_tests.entities.dropship.bench import KNOBS, Bench
from ingest_project_tests.entities.dropship.rows import file_of, row

DAYS = ("2026-11-01", "2026-11-02", "2026-11-03")
Row = dict[str, str]
Books = dict[str, dict[str, Item]]


def rows_of(orders: int, rng: Random) -> list[Row]:
    made = []
    for number in range(orders):
        for at in range(rng.randint(1, 4)):
            amount = f"{rng.randrange(10**6)}.{rng.randrange(100):02d}"
            made.append(
                row(Kode_Pesanan=f"PS-{number}", SKU=f"S{at}", Total_Harga=amount, Total_Harga_Channel=amount)
            )
    return made


def loaded_at_once(rows: Sequence[Row], folder: Path) -> Books:
    bench = Bench(folder)
    bench.load(DAYS[0], "all.csv", file_of(rows))
    bench.post(DAYS[0])
    return bench.books


def scatter(rows: Sequence[Row], rng: Random) -> list[tuple[str, str, list[Row]]]:
    """Files of days in the order of their arrival; a third of the rows stands in two of them."""
    files: dict[tuple[str, str], list[Row]] = {}
    for one in [*rows, *rng.sample(rows, len(rows) // 3)]:
        files.setdefault((rng.choice(DAYS), f"{rng.randrange(3)}.csv"), []).append(one)
    arrivals = [(day, name, rng.sample(held, len(held))) for (day, name), held in files.items()]
    rng.shuffle(arrivals)
    return arrivals


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_however_the_rows_are_scattered_orders_and_journal_are_the_same(seed: int) -> None:
    rng = Random(seed)
    rows = rows_of(6, rng)
    with TemporaryDirectory() as folder:
        expected = loaded_at_once(rows, Path(folder) / "at-once")
        bench = Bench(Path(folder) / "scattered")
        for day, name, held in scatter(rows, rng):
            bench.load(day, name, file_of(held))
            for other in rng.sample(DAYS, rng.randrange(3)):
                bench.post(other)
        for day in rng.sample(DAYS, len(DAYS)):
            bench.post(day)
            if rng.random() < 0.1:
                bench.post(day, mark=f"again {seed}")
        assert bench.books == expected
        for code, entry in bench.books["journal"].items():
            debit, credit = sides(entry)
            assert debit == credit
            assert entry == journal_of(bench.books["orders"][code])
            lines = [item for _, item in bench.shelf.stock[code].values()]
            assert bench.books["orders"][code] == order_of(lines)


@pytest.mark.parametrize("at", range(0, 40, 3))
def test_a_pass_that_is_killed_at_any_call_goes_on_to_the_same_books(at: int, tmp_path: Path) -> None:
    rows = rows_of(12, Random(7))
    expected = loaded_at_once(rows, tmp_path / "at-once")
    bench = Bench(tmp_path / "killed")
    bench.load(DAYS[0], "a.csv", file_of(rows))
    calls = 0

    def die(what: str) -> None:
        nonlocal calls
        calls += 1
        if calls == at + 1:
            raise Killed

    bench.shelf.before = die
    try:
        bench.post(DAYS[0], owner="dead")
    except Killed:
        bench.clock.advance(2 * KNOBS.lease_seconds)
    bench.shelf.before = lambda what: None
    bench.post(DAYS[0], owner="heir")
    assert bench.books == expected


def test_slots_that_were_finished_before_the_kill_are_not_done_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.load(DAYS[0], "a.csv", file_of(rows_of(12, Random(7))))
    puts = 0

    def die(what: str) -> None:
        nonlocal puts
        puts += what == "put"
        if puts == 9:
            raise Killed

    bench.shelf.before = die
    with pytest.raises(Killed):
        bench.post(DAYS[0])
    bench.shelf.before = lambda what: None
    report = bench.post(DAYS[0])
    assert report.counts.sent == 12
    assert 0 < report.fresh.sent < 12


def test_requests_that_fail_for_now_are_sent_again(tmp_path: Path) -> None:
    rows = rows_of(8, Random(3))
    expected = loaded_at_once(rows, tmp_path / "at-once")
    bench, rng = Bench(tmp_path / "flaky"), Random(5)
    bench.load(DAYS[0], "a.csv", file_of(rows))

    def fail(what: str) -> None:
        if rng.random() < 0.1:
            raise TransientFailure("not now")

    bench.shelf.before = fail
    report = bench.post(DAYS[0])
    assert report.counts.retries > 0
    assert bench.books == expected


def test_two_dates_are_never_in_one_slot_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.load(DAYS[0], "a.csv", file_of([row()]))
    slot = rank_of(b"PS-200") * SLOTS // 2**64
    held = Work(chunk=lock_chunk(ORDERS, slot), stage=lock_of(ORDERS), identity="lock")
    claim = bench.ledger.claim(held, owner="another date", lease=1e6)
    with pytest.raises(ChunkBusy):
        bench.post(DAYS[0])
    assert bench.books["orders"] == {}
    bench.ledger.release(claim, "")
    bench.post(DAYS[0])
    assert bench.books["orders"].keys() == {"PS-200"}


def test_who_lost_the_slot_writes_nothing_more() -> None:
    clock = FakeClock()
    ledger = InMemoryLedger(clock)
    work = Work(chunk=lock_chunk(ORDERS, 3), stage=lock_of(ORDERS), identity="lock")
    lock = SlotLock(ledger, ledger.claim(work, owner="slow", lease=20), lease=20, clock=clock, offload=inline)
    clock.advance(15)
    clock.run(lock.hold())
    clock.advance(21)
    ledger.claim(work, owner="heir", lease=20)
    with pytest.raises(LeaseLost):
        clock.run(lock.hold())


def test_lines_that_are_still_to_come_leave_no_order_behind(tmp_path: Path) -> None:
    """A line that a later date supersedes is sent with that date: until then the table may lack it."""
    bench = Bench(tmp_path)
    bench.load(DAYS[0], "a.csv", file_of([row()]))
    lines, bench.shelf.stock = bench.shelf.stock, {}
    report = bench.post(DAYS[0])
    assert (report.counts.superseded, bench.books["orders"]) == (1, {})
    bench.shelf.stock = lines
    bench.post(DAYS[0], mark="more is there")
    assert bench.books["orders"].keys() == {"PS-200"}
