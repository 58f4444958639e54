"""Replays in the ledger: a dead letter is taken once, settled once, and stays settled."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from ingest_project.core.errors import ChunkBusy
from ingest_project.core.replaying import SOURCE, replay_chunk
from ingest_project.ledgers.database import Database
from ingest_project.ledgers.rejections import LOADED, OPEN, REFUSED, TAKEN, UNSETTLED, Selection
from ingest_project.ledgers.replays import CLOSED, WORKING, Replay, Taking
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.laws_ledger import dead_letter, move, take, validate
from ingest_project.testing.samples import sample_chunk

CHUNK = sample_chunk()


@pytest.fixture
def refused(ledger: SqlLedger) -> SqlLedger:
    """A chunk of ten records, four of which the contract refused, sealed in both stages."""
    held = take(ledger, CHUNK, stage="validated", identity="parts")
    move(ledger, held, 10, written=6, rejections=[dead_letter(place) for place in (1, 3, 5, 7)])
    ledger.seal(held, seconds=1.0)
    held = take(ledger, CHUNK)
    move(ledger, held, 6, written=6)
    ledger.seal(held, seconds=1.0)
    return ledger


def takings(*ordinals: int) -> list[Taking]:
    return [
        Taking(stage="validated", ordinal=at, place=at, offset=at * 10, raw=b"mended %d" % at)
        for at in ordinals
    ]


def define(number: int, records: int) -> tuple[str, str]:
    made = replay_chunk(CHUNK, number, SOURCE, records)
    return made.id, json.dumps([number, records])


def begin(ledger: SqlLedger, *ordinals: int) -> Replay | None:
    return ledger.replays.take(
        takings(*ordinals),
        origin=CHUNK.id,
        entity=CHUNK.entity,
        date=CHUNK.date,
        by="somebody",
        define=define,
    )


def states(ledger: SqlLedger) -> dict[int, str]:
    letters = ledger.dead_letters.list(Selection(chunk_id=CHUNK.id))
    return {letter.ordinal: letter.state for letter in letters}


def records(ledger: SqlLedger, number: int, after: int = 0) -> list[tuple[int, int, int, bytes]]:
    pages = ledger.replays.records(number, after)
    return [(one.ordinal, one.place, one.offset, one.raw) for page in pages for one in page]


def load(ledger: SqlLedger, made: Replay, *, bad: Sequence[int] = (), unwanted: Sequence[int] = ()) -> str:
    """Take the replay's chunk through both stages; some of its records are refused again."""
    number, count = json.loads(made.definition)
    chunk = replay_chunk(CHUNK, number, SOURCE, count)
    held = take(ledger, chunk, stage="validated", identity="parts")
    good = count - len(bad)
    move(ledger, held, count, written=good, rejections=[dead_letter(place) for place in bad])
    ledger.seal(held, seconds=1.0)
    held = take(ledger, chunk)
    letters = [dead_letter(place, "too large") for place in unwanted]
    move(ledger, held, good, written=good - len(letters), rejections=letters)
    ledger.seal(held, seconds=1.0)
    return chunk.id


def test_a_replay_takes_what_is_open_and_keeps_its_records(refused: SqlLedger) -> None:
    made = begin(refused, 1, 5, 9)
    assert made is not None
    assert (1, "messages", WORKING, [1, 2]) == (
        made.number,
        made.entity,
        made.state,
        json.loads(made.definition),
    )
    assert {1: TAKEN, 3: OPEN, 5: TAKEN, 7: OPEN} == states(refused)
    assert [(0, 1, 10, b"mended 1"), (1, 5, 50, b"mended 5")] == records(refused, 1)
    assert [(1, 5, 50, b"mended 5")] == records(refused, 1, 1)


def test_no_dead_letter_is_taken_twice(refused: SqlLedger) -> None:
    begin(refused, 1, 3)
    second = begin(refused, 1, 3, 5)
    assert second is not None
    assert [(0, 5, 50, b"mended 5")] == records(refused, second.number)
    assert begin(refused, 1, 3, 5) is None
    assert [1, 2] == [replay.number for replay in refused.replays.working("messages")]


def test_closing_says_of_each_record_what_became_of_it(refused: SqlLedger, clock: FakeClock) -> None:
    made = begin(refused, 1, 3, 5, 7)
    assert made is not None
    chunk = load(refused, made, bad=[1], unwanted=[1])
    clock.advance(100)
    outcome = refused.replays.close(made.number, chunk, by="me")
    assert {LOADED: 2, REFUSED: 2} == outcome
    # Of the records 0, 2 and 3 that were admitted, the target refused the second.
    assert {1: LOADED, 3: REFUSED, 5: REFUSED, 7: LOADED} == states(refused)
    letter = refused.dead_letters.get(f"{CHUNK.id}:validated:1")
    assert letter is not None
    assert (made.number, "me", clock()) == (letter.replay, letter.closed_by, letter.closed)
    assert [] == refused.replays.working("messages")
    assert [CLOSED] == [replay.state for replay in refused.replays.of_date("messages", CHUNK.date)]


def test_closing_again_changes_nothing(refused: SqlLedger, clock: FakeClock) -> None:
    made = begin(refused, 1)
    assert made is not None
    chunk = load(refused, made)
    first = refused.replays.close(made.number, chunk, by="me")
    before = refused.dead_letters.list()
    clock.advance(100)
    assert first == refused.replays.close(made.number, chunk, by="another")
    assert before == refused.dead_letters.list()


def test_only_what_is_not_in_its_target_is_unsettled(refused: SqlLedger) -> None:
    made = begin(refused, 1, 3)
    assert made is not None
    open_ones = Selection(states=UNSETTLED)
    assert 4 == refused.dead_letters.count(open_ones)
    refused.replays.close(made.number, load(refused, made), by="me")
    assert (2, 4) == (refused.dead_letters.count(open_ones), refused.dead_letters.count())


def test_what_is_settled_stays_settled_when_its_chunk_starts_anew(
    refused: SqlLedger, ledger_url: str, clock: FakeClock
) -> None:
    made = begin(refused, 1, 3)
    assert made is not None
    refused.replays.close(made.number, load(refused, made), by="me")
    with Upkeep(ledger_url) as upkeep:
        upkeep.start_anew([CHUNK], now=clock())
    assert {1: LOADED, 3: LOADED} == states(refused)
    held = take(refused, CHUNK, stage="validated", identity="parts")
    move(refused, held, 10, written=6, rejections=[dead_letter(place) for place in (1, 3, 5, 7)])
    assert {1: LOADED, 3: LOADED, 5: OPEN, 7: OPEN} == states(refused)


def test_another_target_keeps_what_is_settled_too(refused: SqlLedger) -> None:
    made = begin(refused, 1)
    assert made is not None
    refused.replays.close(made.number, load(refused, made), by="me")
    take(refused, CHUNK, stage="validated", identity="other parts")
    assert {1: LOADED} == states(refused)


def test_a_replay_and_its_chunk_do_not_overlook_each_other(refused: SqlLedger, clock: FakeClock) -> None:
    made = begin(refused, 1)
    assert made is not None
    number, count = json.loads(made.definition)
    replay = replay_chunk(CHUNK, number, SOURCE, count)
    clock.advance(1)
    known = refused.horizon(CHUNK.entity, CHUNK.target)
    validate(refused, replay)
    take(refused, replay, "two")
    with pytest.raises(ChunkBusy, match="name them again"):
        take(refused, CHUNK, identity="table-2", horizon=known)
    assert not take(refused, CHUNK, identity="table-2", horizon=known + 1).sealed


def test_a_ledger_of_an_earlier_version_is_brought_up_to_date(ledger: SqlLedger, ledger_url: str) -> None:
    move(ledger, take(ledger, CHUNK), 2, rejections=[dead_letter(1)])
    ledger.close()
    database = Database(ledger_url)
    with database.writing() as connection:
        for column in ("state", "replay", "closed", "closed_by"):
            connection.execute(text(f"ALTER TABLE ingest_rejections DROP COLUMN {column}"))
        for table in ("ingest_replays", "ingest_replay_records", "ingest_document_stages"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("UPDATE ingest_schema SET version = 1"))
    database.close()
    (letter,) = ledger.dead_letters.list()
    assert (OPEN, None, None, "") == (letter.state, letter.replay, letter.closed, letter.closed_by)
    assert begin(ledger, 3) is None
