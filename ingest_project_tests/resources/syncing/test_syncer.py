"""The sync engine over the simulated warehouse: resuming, ties, time, order, several readers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.paging import Page
from ingest_project.core.syncing import DELETES, DONE, FAILED, FULL, OPEN, PAGES, SINCE, no_later_than
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.syncing.cutting import Grid
from ingest_project.resources.syncing.reader import BUSY, LandingLimits
from ingest_project.resources.syncing.syncer import NothingToFollow
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.faults import Killed
from ingest_project.testing.wms_churn import Habit
from ingest_project_tests.resources.syncing.dying import Dice
from ingest_project_tests.resources.syncing.scenes import Broken, delivered
from ingest_project_tests.resources.syncing.warehouse import (
    DATE,
    ENTITY,
    Listener,
    Losses,
    Warehouse,
    short,
)


async def test_a_full_sync_lands_every_row_once(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=505)
    sync = await house.sync(FULL)
    assert sync.state == DONE
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)
    assert sum(one.rows for one in house.landed()) == 505
    assert [one.slot for one in (status.slice for status in house.ledger.slices(ENTITY, DATE))] == [
        0,
        1,
        2,
        3,
    ]


async def test_a_killed_full_sync_reads_at_most_one_page_of_a_slice_again(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=2000)
    dice = Dice(0.0, Random(1))
    syncer = house.syncer(dice=dice)
    await syncer.plan_sync(FULL, DATE)
    planned, dice.chance = len(house.caller.targets), 0.02
    deaths = 0
    while True:
        try:
            outcomes = await syncer.read_slices(DATE)
        except Killed:
            deaths += 1
            dice = Dice(0.02, Random(deaths))
            syncer = house.syncer(dice=dice)
        else:
            break
    assert {one.state for one in outcomes} == {DONE}
    again = Counter(house.caller.targets[planned:])
    pages = 2000 // 50
    assert deaths > 2
    # A page and the empty one at the end, for each of four slices, and one more each time a reader died.
    assert sum(again.values()) <= pages + 2 * 4 + 4 * deaths
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)
    assert sum(one.rows for one in house.landed()) == 2000


async def test_a_run_that_is_out_of_time_leaves_its_slices_open_and_the_next_goes_on(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=500)
    house.settings = short(house.settings, run_seconds={FULL: 0.0}, at_once=1)
    syncer = house.syncer()
    await syncer.plan_sync(FULL, DATE)
    first = await syncer.read_slices(DATE)
    assert [(one.state, one.pages) for one in first] == [(OPEN, 1)] * 4
    assert "the next one goes on from the bookmark" in first[0].reason
    rest = await house.syncer(settings=short(house.settings, run_seconds={FULL: 1e9})).read_slices(DATE)
    assert {one.state for one in rest} == {DONE}
    assert sum(one.pages for one in [*first, *rest]) == sum(one.pages for one in house.landed())
    assert sum(one.rows for one in house.landed()) == 500


async def test_a_slice_that_fails_is_read_again_alone(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=500)
    house.settings = short(house.settings, at_once=1)
    sync = await house.syncer().plan_sync(FULL, DATE)
    house_api, house.api = house.api, Broken(house.api, {3: TransientFailure("HTTP 503")})
    first = await house.syncer().read_slices(DATE)
    assert Counter(one.state for one in first) == {DONE: 3, FAILED: 1}
    (failed,) = (one for one in first if one.state == FAILED)
    assert (failed.reason, failed.pages) == ("HTTP 503", 2)
    house.api = house_api
    (again,) = await house.syncer().read_slices(DATE, slots=[failed.slice.slot])
    assert (again.slice, again.state) == (failed.slice, DONE)
    assert house.ledger.syncs(ENTITY)[0].state == DONE
    assert sync.number == again.slice.sync
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)


async def test_slots_that_were_not_asked_for_are_not_read(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=500)
    syncer = house.syncer()
    await syncer.plan_sync(FULL, DATE)
    outcomes = await syncer.read_slices(DATE, slots=[1, 2])
    assert [one.slice.slot for one in outcomes] == [1, 2]
    states = [one.state for one in house.ledger.slices(ENTITY, DATE)]
    assert states == [OPEN, DONE, DONE, OPEN]


async def test_a_slice_in_other_hands_is_busy(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=60)
    await house.syncer().plan_sync(FULL, DATE)
    (status,) = house.ledger.slices(ENTITY, DATE)
    house.ledger.claim(status.slice, owner="other", lease=60)
    (outcome,) = await house.syncer().read_slices(DATE)
    assert (outcome.state, outcome.retry_after) == (BUSY, 60.0)


async def test_rows_of_one_moment_over_page_borders_are_all_read(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=400, page=20)
    await house.sync(FULL)
    house.world.advance(3600)
    changed = [row.id for row in house.world.truth(ENTITY)][::2]
    house.world.update(ENTITY, changed[:130])
    house.world.advance(1)
    house.world.update(ENTITY, changed[130:])
    await house.sync(SINCE)
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)
    landed = sum(one.rows for one in house.landed(SINCE))
    assert landed < 260


async def test_a_killed_since_goes_on_inside_a_moment(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=200, page=20)
    await house.sync(FULL)
    house.world.advance(3600)
    house.world.update(ENTITY, [row.id for row in house.world.truth(ENTITY)])
    await house.syncer().plan_sync(SINCE, DATE)
    whole, house.api = house.api, Broken(house.api, {4: TransientFailure("cut")})
    (first,) = await house.syncer().read_slices(DATE)
    house.api = whole
    (rest,) = await house.syncer().read_slices(DATE)
    assert (first.state, first.rows, rest.state) == (FAILED, 60, DONE)
    assert first.rows + rest.rows == 200
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)


async def test_a_since_ends_although_rows_change_faster_than_they_are_asked_for(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=200, each=60.0, habit=Habit(updates=0.1))
    await house.sync(FULL)
    before = len(house.caller.targets)
    await house.sync(SINCE)
    assert len(house.caller.targets) - before < 20
    house.world.settle()
    await house.sync(SINCE)
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)


async def test_a_long_window_is_read_in_parallel_slices(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=200, page=4)
    house.settings = short(house.settings, grid=Grid(pieces=2, page_rows=4))
    await house.sync(FULL)
    for row in list(house.world.truth(ENTITY))[:170]:
        house.world.advance(60)
        house.world.update(ENTITY, [row.id])
    await house.syncer().plan_sync(SINCE, DATE)
    slices = [one.slice for one in house.ledger.slices(ENTITY, DATE) if one.slice.mode == SINCE]
    assert len(slices) == 2
    assert [one.high for one in slices[:-1]] == [one.low for one in slices[1:]]
    assert slices[-1].high == ""
    await house.sync(SINCE)
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)


async def test_the_first_since_begins_before_the_full_sync_and_not_after_it(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=500, each=600.0)
    newest = max(row.modified for row in house.world.truth(ENTITY))
    await house.sync(FULL)
    since = await house.syncer().plan_sync(SINCE, DATE)
    overlap = round(house.settings.overlap * 1e6)
    assert since.since == house.world.stamps.text(newest - overlap).decode()


async def test_a_row_from_the_future_does_not_move_the_watermark(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=100, skew=(0.0, 86_400.0))
    await house.sync(FULL)
    house.world.update(ENTITY, [next(house.world.truth(ENTITY)).id], server=1)
    await house.sync(SINCE)
    house.world.advance(3600)
    house.world.update(ENTITY, [row.id for row in house.world.truth(ENTITY)][1:50])
    await house.sync(SINCE)
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)


def test_our_clock_lowers_a_moment_and_never_raises_it() -> None:
    moment = "2026-01-01T10:00:00-03:00"
    assert no_later_than(moment, 2e9) == moment
    assert no_later_than(moment, 1_767_225_600.0) == "2026-01-01T00:00:00.000000+00:00"
    assert no_later_than("", 0.0) == ""


async def test_nothing_follows_a_full_sync_that_never_began(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=10)
    with pytest.raises(NothingToFollow, match="no full sync has begun"):
        await house.syncer().plan_sync(SINCE, DATE)
    await house.syncer().plan_sync(FULL, DATE)
    with pytest.raises(NothingToFollow, match="no full sync is through"):
        await house.syncer().plan_sync(DELETES, DATE)
    with pytest.raises(ValueError, match="no such mode"):
        await house.syncer().plan_sync("all", DATE)


async def test_an_empty_entity_is_synced_and_what_comes_later_follows(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=0)
    assert (await house.sync(FULL)).state == DONE
    house.world.insert(ENTITY, 30)
    await house.sync(SINCE)
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)


async def test_an_order_that_is_lost_in_one_mode_is_asked_for_in_the_other(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=300)
    whole = house.api

    class Forgetful(Broken):
        async def page(self, entity: str, query: Mapping[str, str]) -> Page:
            if query.get("page_mode") != "paged":
                raise PermanentFailure("ordering=-id was not kept")
            found: Page = await whole.page(entity, query)
            return found

    house.api = Forgetful(whole, {})
    assert (await house.sync(FULL)).page_mode == "paged"
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)


async def test_an_empty_page_that_promises_more_fails_its_slice(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=60)
    await house.syncer().plan_sync(FULL, DATE)
    whole = house.api

    class Hollow(Broken):
        async def page(self, entity: str, query: Mapping[str, str]) -> Page:
            return Page(body=b"", rows=(), next_page="more", request="/entity/allocation/")

    house.api = Hollow(whole, {})
    (outcome,) = await house.syncer().read_slices(DATE)
    assert outcome.state == FAILED
    assert "without rows says that there is a next one" in outcome.reason


async def test_larger_syncs_make_larger_objects(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=1000)
    house.settings = short(
        house.settings, landing=LandingLimits(page_rows=50, objects=5, lease=60.0), grid=Grid(pieces=1)
    )
    await house.sync(FULL)
    assert [one.pages for one in house.landed()] == [4] * 5
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)


async def test_progress_is_told_in_rows_and_ends_at_the_whole(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=500)
    syncer, listener = house.syncer(), Listener()
    sync = await syncer.plan_sync(FULL, DATE)
    await syncer.read_slices(DATE, progress=listener)
    assert sync.rows == 500
    for slot in range(4):
        told = [(done, whole) for at, done, whole in listener.told if at == slot]
        assert [done for done, _ in told] == sorted(done for done, _ in told)
        assert told[-1][0] == told[-1][1]
    assert listener.stages == {PAGES}


async def test_two_readers_share_a_sync_and_no_page_lands_twice(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=500)
    first, second = house.syncer(owner="a"), house.syncer(owner="b")
    await first.plan_sync(FULL, DATE)
    here = await first.read_slices(DATE, slots=[0, 1])
    there = await second.read_slices(DATE)
    assert {one.state for one in [*here, *there]} == {DONE}
    assert sum(one.rows for one in house.landed()) == 500


def test_changes_go_first_and_leases_are_renewed_while_a_request_takes_long(tmp_path: Path) -> None:
    house, clock = Warehouse(tmp_path, rows=200), FakeClock()
    house.ledger = SqlLedger(tmp_path / "ledger.db", clock=clock).syncs
    whole, reading = house.api, list[str]()

    class Slow(Broken):
        async def page(self, entity: str, query: Mapping[str, str]) -> Page:
            reading.append(query["ordering"])
            await asyncio.sleep(1000)
            found: Page = await whole.page(entity, query)
            return found

    async def story() -> set[str]:
        syncer = house.syncer()
        await syncer.plan_sync(FULL, DATE)
        await syncer.plan_sync(SINCE, DATE)
        house.api = Slow(whole, {})
        return {one.state for one in await house.syncer(clock=clock).read_slices(DATE)}

    assert clock.run(story()) == {DONE}
    assert reading.index("-id") > len(reading) - 1 - reading[::-1].index("mod_ts,id")
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)
