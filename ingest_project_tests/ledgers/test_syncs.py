"""Syncs in the ledger: one reader a slice, landings with bookmark and ids or none, and the watermark."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text

from ingest_project.core.errors import ChunkBusy, LeaseLost
from ingest_project.core.syncing import (
    DELETES,
    DONE,
    FAILED,
    FULL,
    GIVEN_UP,
    OPEN,
    READING,
    SINCE,
    Bookmark,
    Landed,
    Slice,
    SliceClaim,
    Sync,
)
from ingest_project.ledgers.database import Database
from ingest_project.ledgers.known_ids import BLOCK, note
from ingest_project.ledgers.schema import VERSION
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.syncs import Piece
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.testing.doubles_time import FakeClock

DATE = "2026-01-01"
TWO = (Piece(slot=0, low="100", rows=10), Piece(slot=1, high="100", rows=10))


def begin(ledger: SqlLedger, mode: str = FULL, until: str = "", *pieces: Piece) -> Sync:
    wanted = Sync(number=0, entity="orders", date=DATE, mode=mode, until=until)
    return ledger.syncs.begin(wanted, pieces or TWO)


def parts(ledger: SqlLedger, sync: Sync) -> list[Slice]:
    return [one.slice for one in ledger.syncs.status(sync.number)]


def take(ledger: SqlLedger, part: Slice, owner: str = "run") -> SliceClaim:
    claim = ledger.syncs.claim(part, owner=owner, lease=60)
    assert claim is not None
    return claim


def land(ledger: SqlLedger, claim: SliceClaim, *ids: int, moment: str = "") -> SliceClaim:
    landed = Landed(
        slice=claim.slice,
        sequence=claim.sequence,
        uri=f"memory:/{claim.slice.name}/{claim.sequence}",
        etag="e",
        bytes=100,
        stored=10,
        rows=len(ids),
        pages=1,
        mod_ts_max=moment,
        ids_low=min(ids),
        ids_high=max(ids),
    )
    return ledger.syncs.land(claim, [landed], Bookmark(last_id=min(ids)), ids=ids, lease=60)


def through(ledger: SqlLedger, sync: Sync) -> Sync:
    for part in parts(ledger, sync):
        sync = ledger.syncs.finish(take(ledger, part), seconds=1.0)
    return sync


def test_an_entity_has_one_open_sync_of_a_mode(ledger: SqlLedger) -> None:
    first = begin(ledger)
    assert begin(ledger) == first
    assert begin(ledger, SINCE).number == first.number + 1
    through(ledger, first)
    assert begin(ledger).number == first.number + 2


def test_what_landed_stands_with_its_bookmark_and_its_ids(ledger: SqlLedger) -> None:
    sync = begin(ledger)
    claim = land(ledger, take(ledger, parts(ledger, sync)[0]), 101, 40_000)
    assert (claim.sequence, claim.rows, claim.pages, claim.bookmark.last_id) == (1, 2, 1, 101)
    (landed,) = ledger.syncs.landed("orders", DATE)
    assert (landed.slice, landed.rows) == (claim.slice, 2)
    assert ledger.syncs.known.ids("orders", 0, 50_000) == [101, 40_000]


def test_what_a_dead_reader_held_is_free_at_once_and_what_a_living_one_holds_is_not(
    ledger: SqlLedger, ledger_url: str, clock: FakeClock
) -> None:
    first, second = parts(ledger, begin(ledger))
    dead = land(ledger, take(ledger, first, "dead"), 101)
    take(ledger, second, "alive")
    with Upkeep(ledger_url) as upkeep:
        assert upkeep.release_dead("orders", lambda owner: owner == "dead", now=clock()) == 1
    with pytest.raises(ChunkBusy):
        take(ledger, second, "next")
    assert take(ledger, first, "next").bookmark == Bookmark(last_id=101)
    with pytest.raises(LeaseLost):
        land(ledger, dead, 100)


def test_a_reader_that_lost_its_slice_lands_nothing(ledger: SqlLedger, clock: FakeClock) -> None:
    part = parts(ledger, begin(ledger))[0]
    old = land(ledger, take(ledger, part), 105)
    with pytest.raises(ChunkBusy, match="is read by run"):
        ledger.syncs.claim(part, owner="other", lease=60)
    clock.advance(61)
    new = take(ledger, part, "other")
    assert new.bookmark == Bookmark(last_id=105)
    with pytest.raises(LeaseLost):
        land(ledger, old, 104)
    assert ledger.syncs.known.count("orders", 0, 200) == 1
    ledger.syncs.fail(old, "late", seconds=1.0)
    assert [one.state for one in ledger.syncs.slices("orders", DATE)] == [READING, OPEN]


def test_a_lease_that_is_over_lands_nothing_although_nobody_took_it(
    ledger: SqlLedger, clock: FakeClock
) -> None:
    claim = take(ledger, parts(ledger, begin(ledger))[0])
    clock.advance(50)
    ledger.syncs.renew([claim], lease=60)
    clock.advance(50)
    claim = land(ledger, claim, 105)
    clock.advance(61)
    with pytest.raises(LeaseLost):
        land(ledger, claim, 104)


def test_the_same_owner_takes_its_dead_predecessors_slice_over_at_once(ledger: SqlLedger) -> None:
    part = parts(ledger, begin(ledger))[0]
    old = take(ledger, part)
    assert take(ledger, part).epoch == old.epoch + 1
    with pytest.raises(LeaseLost):
        ledger.syncs.finish(old, seconds=1.0)


def test_a_failed_slice_goes_on_from_its_bookmark_and_says_why_it_failed(ledger: SqlLedger) -> None:
    part = parts(ledger, begin(ledger))[0]
    ledger.syncs.fail(land(ledger, take(ledger, part), 150), "HTTP 500", seconds=2.0)
    status = ledger.syncs.slices("orders", DATE)[0]
    assert (status.state, status.reason, status.seconds) == (FAILED, "HTTP 500", 2.0)
    assert take(ledger, part).bookmark.last_id == 150


def test_pages_and_deletions_are_not_read_at_the_same_time(ledger: SqlLedger, clock: FakeClock) -> None:
    page = parts(ledger, begin(ledger))[0]
    deletion = parts(ledger, begin(ledger, DELETES))[0]
    take(ledger, page)
    with pytest.raises(ChunkBusy, match="waits: orders is read by run"):
        ledger.syncs.claim(deletion, owner="run", lease=60)
    clock.advance(61)
    take(ledger, deletion, "other")
    with pytest.raises(ChunkBusy, match="waits: orders is read by other"):
        ledger.syncs.claim(page, owner="run", lease=60)


def test_the_last_slice_ends_the_sync(ledger: SqlLedger) -> None:
    sync = begin(ledger)
    first, second = parts(ledger, sync)
    assert ledger.syncs.finish(take(ledger, second), seconds=1.0).state == OPEN
    assert ledger.syncs.finish(take(ledger, first), seconds=1.0).state == DONE
    assert ledger.syncs.claim(first, owner="run", lease=60) is None
    assert ledger.syncs.open_sync("orders", FULL) is None


def test_a_sync_that_was_given_up_is_not_read_any_more(ledger: SqlLedger, clock: FakeClock) -> None:
    sync = begin(ledger)
    part = parts(ledger, sync)[0]
    take(ledger, part)
    with pytest.raises(ChunkBusy):
        ledger.syncs.give_up(sync.number, "a filter was missing")
    clock.advance(61)
    assert ledger.syncs.give_up(sync.number, "a filter was missing")
    assert not ledger.syncs.give_up(sync.number, "again")
    assert ledger.syncs.claim(part, owner="run", lease=60) is None
    assert [one.state for one in ledger.syncs.syncs("orders")] == [GIVEN_UP]


def test_a_sync_without_slices_is_through_at_once(ledger: SqlLedger) -> None:
    wanted = Sync(number=0, entity="orders", date=DATE, mode=DELETES)
    assert ledger.syncs.begin(wanted, []).state == DONE


def test_the_watermark_is_where_the_first_full_sync_began_until_a_sync_is_through(ledger: SqlLedger) -> None:
    assert ledger.syncs.watermark("orders") is None
    full = begin(ledger, FULL, "2026-01-01T10:00:00-03:00")
    assert ledger.syncs.watermark("orders") == "2026-01-01T10:00:00-03:00"
    since = begin(ledger, SINCE, "2026-01-01T12:00:00-03:00")
    assert ledger.syncs.watermark("orders") == "2026-01-01T10:00:00-03:00"
    through(ledger, since)
    assert ledger.syncs.watermark("orders") == "2026-01-01T12:00:00-03:00"
    through(ledger, full)
    assert ledger.syncs.watermark("orders") == "2026-01-01T12:00:00-03:00"
    again = begin(ledger, FULL, "2026-01-01T14:00:00+00:00")
    assert ledger.syncs.watermark("orders") == "2026-01-01T12:00:00-03:00"
    # As text this one is later than the other; as a moment it is not.
    through(ledger, again)
    assert ledger.syncs.watermark("orders") == "2026-01-01T12:00:00-03:00"


def test_the_latest_moment_is_of_all_that_landed(ledger: SqlLedger) -> None:
    assert ledger.syncs.latest_moment("orders") == ""
    first, second = parts(ledger, begin(ledger))
    claim = land(ledger, take(ledger, first), 105, moment="2026-01-01T10:00:00+00:00")
    land(ledger, claim, 104, moment="2026-01-01T09:00:00+00:00")
    land(ledger, take(ledger, second), 50, moment="2026-01-01T07:30:00-03:00")
    assert ledger.syncs.latest_moment("orders") == "2026-01-01T07:30:00-03:00"


def test_a_ledger_of_version_2_gets_the_tables_of_syncs(ledger: SqlLedger, ledger_url: str) -> None:
    begin(ledger)
    ledger.close()
    database = Database(ledger_url)
    with database.writing() as connection:
        for table in ("landings", "slices", "syncs", "known_ids", "document_stages"):
            connection.execute(text(f"DROP TABLE ingest_{table}"))
        connection.execute(text("UPDATE ingest_schema SET version = 2"))
    database.close()
    assert begin(SqlLedger(ledger_url)).number == 1
    with database.reading() as connection:
        assert connection.execute(text("SELECT version FROM ingest_schema")).scalar() == VERSION
        assert {"ingest_budgets", "ingest_landings"} <= set(inspect(connection).get_table_names())
    database.close()


def test_known_ids_are_a_set(ledger: SqlLedger, ledger_url: str) -> None:
    database = Database(ledger_url)
    known = ledger.syncs.known
    model: set[int] = set()

    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(st.integers(0, 4 * BLOCK), max_size=20),
        st.lists(st.integers(0, 4 * BLOCK), max_size=5),
        st.integers(0, 4 * BLOCK),
        st.integers(0, 4 * BLOCK),
    )
    def holds(added: list[int], gone: list[int], low: int, high: int) -> None:
        with database.writing() as connection:
            note(connection, database.insert_new, "orders", added, gone)
        model.update(added)
        model.difference_update(gone)
        expected = sorted(one for one in model if low <= one < high)
        assert known.ids("orders", low, high) == expected
        assert known.count("orders", low, high) == len(expected)
        assert known.top("orders") == max(model, default=None)
        for place in (0, len(expected) // 2):
            if place < len(expected):
                assert known.nth("orders", low, place) == expected[place]

    holds()
    database.close()


def test_ids_of_one_entity_are_none_of_another(ledger: SqlLedger) -> None:
    land(ledger, take(ledger, parts(ledger, begin(ledger))[0]), 101)
    assert ledger.syncs.known.count("lines", 0, 200) == 0
    assert ledger.syncs.known.nth("lines", 0, 0) is None


def test_names_of_a_ledgers_parts_survive_what_a_database_cannot_store(ledger: SqlLedger) -> None:
    part = parts(ledger, begin(ledger))[0]
    claim = ledger.syncs.claim(part, owner="run \0", lease=60)
    assert claim is not None
    ledger.syncs.fail(replace(claim), "bad \0 byte \ud800", seconds=0.0)
    assert ledger.syncs.slices("orders", DATE)[0].state == FAILED
