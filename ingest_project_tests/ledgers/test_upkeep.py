"""Upkeep on both databases: what is taken from an owner is fenced, what is started anew forgets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ingest_project.core.errors import ChunkBusy, LeaseLost
from ingest_project.core.model import Chunk, Claim, Counts, KeySchema, Position, Rejection
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.samples import sample_chunk, sample_work

CHUNK = sample_chunk(records=10)
REFUSED = Rejection(ordinal=9, offset=90, reason="bad", raw=b"{}")
DONE = Counts(sent=10, written=9, rejected=1)


@pytest.fixture
def upkeep(ledger_url: str) -> Iterator[Upkeep]:
    upkeep = Upkeep(ledger_url)
    yield upkeep
    upkeep.close()


def test_standings_tell_state_identity_and_counts(ledger: SqlLedger, upkeep: Upkeep) -> None:
    claim = ledger.claim(sample_work(CHUNK), owner="a", lease=60)
    ledger.advance(claim, Position(10), DONE, [REFUSED], lease=60)
    ledger.seal(claim, seconds=1.0)
    found = upkeep.standings([CHUNK.id, "unknown"])
    standing = found[CHUNK.id, "table"]
    assert [(CHUNK.id, "table")] == list(found)
    assert ("sealed", "table-1", CHUNK.fingerprint, 9) == (
        standing.state,
        standing.identity,
        standing.fingerprint,
        standing.counts.written,
    )


def test_a_work_that_starts_anew_has_no_position_no_counts_and_no_rejections(
    ledger: SqlLedger, upkeep: Upkeep, clock: FakeClock
) -> None:
    claim = ledger.claim(sample_work(CHUNK), owner="a", lease=60)
    ledger.advance(claim, Position(10), DONE, [REFUSED], lease=60)
    ledger.seal(claim, seconds=1.0)
    upkeep.start_anew([CHUNK], now=clock())
    again = ledger.claim(sample_work(CHUNK), owner="b", lease=60)
    assert (False, Position(0), Counts()) == (again.sealed, again.position, again.counts)
    assert again.epoch > claim.epoch
    assert [] == list(ledger.rejections(CHUNK, "table"))


def test_one_stage_can_start_anew_and_leave_the_others(
    ledger: SqlLedger, upkeep: Upkeep, clock: FakeClock
) -> None:
    for stage in ("table", "index"):
        claim = ledger.claim(sample_work(CHUNK, stage=stage), owner="a", lease=60)
        ledger.advance(claim, Position(10), DONE, [REFUSED], lease=60)
        ledger.seal(claim, seconds=1.0)
    upkeep.start_anew([CHUNK], now=clock(), stage="index")
    assert ledger.claim(sample_work(CHUNK, stage="table"), owner="b", lease=60).sealed
    assert not ledger.claim(sample_work(CHUNK, stage="index"), owner="b", lease=60).sealed
    assert (1, 0) == (len(ledger.rejections(CHUNK, "table")), len(ledger.rejections(CHUNK, "index")))


def test_a_work_that_starts_anew_may_have_other_content(
    ledger: SqlLedger, upkeep: Upkeep, clock: FakeClock
) -> None:
    ledger.seal(ledger.claim(sample_work(CHUNK), owner="a", lease=60), seconds=1.0)
    other = replace(CHUNK, keys=KeySchema(parts=(("n", "N"),)))
    assert CHUNK.id == other.id
    upkeep.start_anew([other], now=clock())
    assert not ledger.claim(sample_work(other), owner="b", lease=60).sealed


def test_nothing_starts_anew_while_somebody_works_on_it(
    ledger: SqlLedger, upkeep: Upkeep, clock: FakeClock
) -> None:
    ledger.claim(sample_work(CHUNK), owner="somebody", lease=60)
    with pytest.raises(ChunkBusy, match="somebody"):
        upkeep.start_anew([CHUNK], now=clock())


def test_what_a_dead_owner_held_is_free_at_once_and_fenced(
    ledger: SqlLedger, upkeep: Upkeep, clock: FakeClock
) -> None:
    other = sample_chunk("b")
    dead = ledger.claim(sample_work(CHUNK), owner="dead", lease=60)
    ledger.claim(sample_work(other), owner="alive", lease=60)
    assert 1 == upkeep.release_dead("messages", lambda owner: owner == "dead", now=clock())
    with pytest.raises(ChunkBusy):
        ledger.claim(sample_work(other), owner="next", lease=60)
    taken = ledger.claim(sample_work(CHUNK), owner="next", lease=60)
    with pytest.raises(LeaseLost):
        ledger.advance(dead, Position(1), Counts(sent=1, written=1), [], lease=60)
    ledger.advance(taken, Position(1), Counts(sent=1, written=1), [], lease=60)


def test_owners_of_other_entities_are_left_alone(ledger: SqlLedger, upkeep: Upkeep, clock: FakeClock) -> None:
    ledger.claim(sample_work(CHUNK), owner="dead", lease=60)
    assert 0 == upkeep.release_dead("load", lambda owner: True, now=clock())


NEW = "index@new"


def done(ledger: SqlLedger, chunk: Chunk, stage: str, identity: str) -> Claim:
    """The chunk's work in that stage, sealed with one rejection."""
    work = replace(sample_work(chunk), stage=stage, identity=identity)
    claim = ledger.claim(work, owner=f"owner of {stage}", lease=60)
    ledger.advance(claim, Position(10), DONE, [REFUSED], lease=60)
    ledger.seal(claim, seconds=1.0)
    return claim


def test_what_was_done_beside_is_adopted_with_its_rejections(
    ledger: SqlLedger, upkeep: Upkeep, clock: FakeClock
) -> None:
    old = done(ledger, CHUNK, "index", "uuid-1")
    done(ledger, CHUNK, NEW, "uuid-2")
    upkeep.adopt([CHUNK], NEW, into="index", now=clock())
    found = upkeep.standings([CHUNK.id])
    assert [(CHUNK.id, "index")] == list(found)
    assert ("sealed", "uuid-2", DONE.written) == (
        found[CHUNK.id, "index"].state,
        found[CHUNK.id, "index"].identity,
        found[CHUNK.id, "index"].counts.written,
    )
    assert [REFUSED.ordinal] == [one.ordinal for one in ledger.rejections(CHUNK, "index")]
    assert [] == list(ledger.rejections(CHUNK, NEW))
    again = replace(sample_work(CHUNK), stage="index", identity="uuid-2")
    claim = ledger.claim(again, owner="b", lease=60)
    assert (True, True) == (claim.sealed, claim.epoch > old.epoch)
    upkeep.adopt([CHUNK], NEW, into="index", now=clock())
    assert [(CHUNK.id, "index")] == list(upkeep.standings([CHUNK.id]))


def test_an_owner_from_before_the_adoption_cannot_advance(
    ledger: SqlLedger, upkeep: Upkeep, clock: FakeClock
) -> None:
    done(ledger, CHUNK, NEW, "uuid-2")
    stale = replace(sample_work(CHUNK), stage="index", identity="uuid-1")
    claim = ledger.claim(stale, owner="a", lease=10)
    with pytest.raises(ChunkBusy, match="is being loaded by a"):
        upkeep.adopt([CHUNK], NEW, into="index", now=clock())
    clock.advance(11)
    upkeep.adopt([CHUNK], NEW, into="index", now=clock())
    with pytest.raises(LeaseLost):
        ledger.advance(claim, Position(1), Counts(sent=1, written=1), [], lease=60)


def test_what_was_done_beside_is_no_file_s_business_and_can_be_forgotten(
    ledger: SqlLedger, upkeep: Upkeep
) -> None:
    done(ledger, CHUNK, "index", "uuid-1")
    done(ledger, CHUNK, NEW, "uuid-2")
    (summary,) = ledger.summary()
    assert (["index"], 1) == (list(summary.stages), summary.rejected)
    upkeep.forget(NEW)
    assert [(CHUNK.id, "index")] == list(upkeep.standings([CHUNK.id]))
    assert [] == list(ledger.rejections(CHUNK, NEW))
