"""LedgerLaws: the rules of ports.Ledger as a test class that every ledger's tests inherit (laws 2, 5, 11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pytest

from ingest_project.core.errors import ChunkBusy, CountLost, LeaseLost, PlanDrift
from ingest_project.core.model import Chunk, Claim, Counts, Position, Rejection
from ingest_project.core.ports import Ledger
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.samples import sample_chunk, sample_work

LEASE = 30.0


class LedgerWithRejections(Ledger, Protocol):
    """What the laws read beside the port: the stored dead letters, by ordinal."""

    def rejections(self, chunk: Chunk, stage: str) -> Sequence[Rejection]: ...


class LedgerFixtures:
    """Fixtures of the ledger laws. An adapter overrides ``ledger`` and takes the time from ``clock``."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def ledger(self, clock: FakeClock) -> LedgerWithRejections:
        raise NotImplementedError("override the fixture `ledger`: an empty ledger whose time is `clock`")


def take(
    ledger: Ledger,
    chunk: Chunk,
    owner: str = "one",
    *,
    stage: str = "table",
    identity: str = "table-1",
    horizon: int = 1_000_000,
) -> Claim:
    """Claim a sample work for LEASE seconds."""
    work = sample_work(chunk, stage, identity=identity, horizon=horizon)
    return ledger.claim(work, owner=owner, lease=LEASE)


def move(
    ledger: Ledger, claim: Claim, ordinal: int, *, written: int = 1, rejections: Sequence[Rejection] = ()
) -> None:
    """Advance to ``ordinal`` with balanced counts."""
    counts = Counts(sent=written + len(rejections), written=written, rejected=len(rejections))
    ledger.advance(claim, Position(ordinal, f"t{ordinal}"), counts, rejections, lease=LEASE)


def validate(ledger: Ledger, chunk: Chunk) -> int:
    """Seal the chunk's ``validated`` stage; returns the target's horizon behind it."""
    held = take(ledger, chunk, stage="validated", identity="parts")
    move(ledger, held, chunk.records, written=chunk.records)
    ledger.seal(held, seconds=1.0)
    return ledger.horizon(chunk.entity, chunk.target)


def dead_letter(ordinal: int, reason: str = "no key") -> Rejection:
    return Rejection(ordinal=ordinal, offset=ordinal * 10, reason=reason, raw=b'{"a":\xff}', key="k")


class LedgerLaws(LedgerFixtures):
    """Claims, leases, accounts and seals of single chunks."""

    def test_a_new_work_starts_at_the_beginning(self, ledger: LedgerWithRejections) -> None:
        got = take(ledger, sample_chunk())
        assert (Position(), Counts(), False) == (got.position, got.counts, got.sealed)

    def test_a_live_lease_cannot_be_taken(self, ledger: LedgerWithRejections, clock: FakeClock) -> None:
        take(ledger, sample_chunk())
        clock.advance(LEASE - 1)
        with pytest.raises(ChunkBusy):
            take(ledger, sample_chunk(), "two")

    def test_an_owner_may_claim_again_and_its_older_claim_is_stale(
        self, ledger: LedgerWithRejections
    ) -> None:
        old, new = take(ledger, sample_chunk()), take(ledger, sample_chunk())
        assert new.epoch > old.epoch
        with pytest.raises(LeaseLost):
            move(ledger, old, 1)

    def test_an_expired_lease_is_taken_over_where_it_stopped(
        self, ledger: LedgerWithRejections, clock: FakeClock
    ) -> None:
        old = take(ledger, sample_chunk())
        move(ledger, old, 4, written=4)
        clock.advance(LEASE + 1)
        new = take(ledger, sample_chunk(), "two")
        assert (new.position.ordinal, new.position.token, new.counts.written) == (4, "t4", 4)
        assert new.epoch > old.epoch

    def test_a_stale_owner_can_do_nothing(self, ledger: LedgerWithRejections, clock: FakeClock) -> None:
        old = take(ledger, sample_chunk())
        clock.advance(LEASE + 1)
        new = take(ledger, sample_chunk(), "two")
        with pytest.raises(LeaseLost):
            move(ledger, old, 9, rejections=[dead_letter(3)])
        with pytest.raises(LeaseLost):
            ledger.seal(old, seconds=1.0)
        with pytest.raises(LeaseLost):
            ledger.fail(old, "late", seconds=1.0)
        ledger.release(old, "late")
        move(ledger, new, 2, written=2)
        assert take(ledger, sample_chunk(), "two").position.ordinal == 2
        assert tuple(ledger.rejections(sample_chunk(), "table")) == ()

    def test_a_lease_that_ran_out_cannot_advance_even_if_nobody_took_it(
        self, ledger: LedgerWithRejections, clock: FakeClock
    ) -> None:
        old = take(ledger, sample_chunk())
        clock.advance(LEASE + 1)
        with pytest.raises(LeaseLost):
            move(ledger, old, 1)
        with pytest.raises(LeaseLost):
            ledger.seal(old, seconds=1.0)

    def test_an_advance_renews_the_lease(self, ledger: LedgerWithRejections, clock: FakeClock) -> None:
        held = take(ledger, sample_chunk())
        for ordinal in range(1, 4):
            clock.advance(LEASE * 0.7)
            move(ledger, held, ordinal)
        with pytest.raises(ChunkBusy):
            take(ledger, sample_chunk(), "two")

    def test_counts_add_up_over_advances_and_owners(self, ledger: LedgerWithRejections) -> None:
        held = take(ledger, sample_chunk())
        move(ledger, held, 3, written=3)
        move(ledger, held, 5, written=1, rejections=[dead_letter(4)])
        ledger.release(held, "stopped")
        held = take(ledger, sample_chunk(), "two")
        move(ledger, held, 6, written=1)
        ledger.seal(held, seconds=1.0)
        expected = Counts(sent=6, written=5, rejected=1)
        assert expected == take(ledger, sample_chunk()).counts

    def test_rejections_are_kept_byte_for_byte_and_once_an_ordinal(
        self, ledger: LedgerWithRejections
    ) -> None:
        held = take(ledger, sample_chunk())
        move(ledger, held, 4, rejections=[dead_letter(3)])
        move(ledger, held, 6, rejections=[dead_letter(3), dead_letter(5)])
        assert [dead_letter(3), dead_letter(5)] == list(ledger.rejections(sample_chunk(), "table"))
        assert tuple(ledger.rejections(sample_chunk(), "index")) == ()

    def test_a_released_chunk_can_be_claimed_at_once(self, ledger: LedgerWithRejections) -> None:
        held = take(ledger, sample_chunk())
        move(ledger, held, 2, written=2)
        ledger.release(held, "stopped")
        assert take(ledger, sample_chunk(), "two").position.ordinal == 2
        with pytest.raises(LeaseLost):
            move(ledger, held, 3)

    def test_a_sealed_chunk_stays_sealed(self, ledger: LedgerWithRejections) -> None:
        held = take(ledger, sample_chunk())
        move(ledger, held, 10, written=10)
        ledger.seal(held, seconds=2.0)
        for owner in ("one", "two"):
            again = take(ledger, sample_chunk(), owner)
            assert (again.sealed, again.counts.written) == (True, 10)
        with pytest.raises(LeaseLost):
            move(ledger, held, 11)

    def test_unbalanced_counts_cannot_be_sealed(self, ledger: LedgerWithRejections) -> None:
        held = take(ledger, sample_chunk())
        ledger.advance(held, Position(2), Counts(sent=2, written=1), (), lease=LEASE)
        with pytest.raises(CountLost):
            ledger.seal(held, seconds=1.0)
        assert not take(ledger, sample_chunk()).sealed

    def test_a_failed_chunk_keeps_its_account_and_may_be_tried_again(
        self, ledger: LedgerWithRejections
    ) -> None:
        held = take(ledger, sample_chunk())
        move(ledger, held, 2, written=2)
        ledger.fail(held, "broken at byte 7", seconds=1.5)
        (row,) = ledger.status()
        assert (
            row.state,
            row.reason,
            row.seconds,
            row.counts.written,
        ) == ("failed", "broken at byte 7", 1.5, 2)
        assert take(ledger, sample_chunk(), "two").position.ordinal == 2

    def test_a_file_with_other_bytes_under_one_id_is_plan_drift(self, ledger: LedgerWithRejections) -> None:
        take(ledger, sample_chunk(records=10))
        with pytest.raises(PlanDrift):
            take(ledger, sample_chunk(records=11))

    def test_another_identity_of_the_target_starts_anew(self, ledger: LedgerWithRejections) -> None:
        held = take(ledger, sample_chunk())
        move(ledger, held, 10, written=9, rejections=[dead_letter(4)])
        ledger.seal(held, seconds=1.0)
        again = take(ledger, sample_chunk(), identity="table-2")
        assert (False, Position(), Counts()) == (again.sealed, again.position, again.counts)
        assert again.epoch > held.epoch
        assert tuple(ledger.rejections(sample_chunk(), "table")) == ()

    def test_another_identity_does_not_break_a_live_lease(self, ledger: LedgerWithRejections) -> None:
        take(ledger, sample_chunk())
        with pytest.raises(ChunkBusy):
            take(ledger, sample_chunk(), "two", identity="table-2")

    def test_stages_are_accounts_of_their_own(self, ledger: LedgerWithRejections) -> None:
        move(ledger, take(ledger, sample_chunk()), 5, written=5)
        assert Position() == take(ledger, sample_chunk(), "two", stage="index").position

    def test_status_shows_every_work_and_filters(self, ledger: LedgerWithRejections) -> None:
        move(ledger, take(ledger, sample_chunk(slot=3)), 5, written=5)
        ledger.release(take(ledger, sample_chunk(date="2026-01-02")), "stopped")
        ledger.seal(take(ledger, sample_chunk(entity="wms")), seconds=2.5)
        states = {(row.entity, row.date): row.state for row in ledger.status()}
        expected = {
            ("messages", "2026-01-01"): "claimed",
            ("messages", "2026-01-02"): "open",
            ("wms", "2026-01-01"): "sealed",
        }
        assert expected == states
        (row,) = ledger.status("messages", "2026-01-01")
        chunk = sample_chunk(slot=3)
        assert (chunk.id, 3, "table", "messages", chunk.range.uri, chunk.records, 5) == (
            row.chunk_id,
            row.slot,
            row.stage,
            row.target,
            row.uri,
            row.records,
            row.counts.written,
        )
