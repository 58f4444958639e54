"""HorizonLaws: who may write to a target while others do (law 11 across chunks), for every ledger's tests."""

from __future__ import annotations

import pytest

from ingest_project.core.errors import ChunkBusy, LeaseLost
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.laws_ledger import (
    LEASE,
    LedgerFixtures,
    LedgerWithRejections,
    move,
    take,
    validate,
)
from ingest_project.testing.samples import sample_chunk


class HorizonLaws(LedgerFixtures):
    """Law 11 across chunks: who may write to a target while others do."""

    early, late = sample_chunk("a"), sample_chunk("b")

    def test_each_validated_chunk_moves_the_horizon_of_its_target(self, ledger: LedgerWithRejections) -> None:
        assert ledger.horizon("messages", "messages") == 0
        assert validate(ledger, self.early) == 1
        assert validate(ledger, self.late) == 2
        assert validate(ledger, sample_chunk("c", target="other")) == 1
        assert ledger.horizon("messages", "messages") == 2

    def test_a_chunk_that_failed_validation_counts_as_well(self, ledger: LedgerWithRejections) -> None:
        held = take(ledger, self.late, stage="validated", identity="parts")
        ledger.fail(held, "broken", seconds=1.0)
        assert ledger.horizon("messages", "messages") == 1

    def test_a_sealed_claim_of_validation_moves_nothing(self, ledger: LedgerWithRejections) -> None:
        validate(ledger, self.early)
        assert take(ledger, self.early, stage="validated", identity="parts").sealed
        assert ledger.horizon("messages", "messages") == 1

    def test_other_stages_move_no_horizon(self, ledger: LedgerWithRejections) -> None:
        ledger.seal(take(ledger, self.early), seconds=1.0)
        assert ledger.horizon("messages", "messages") == 0

    def test_a_later_chunk_waits_for_an_earlier_one_that_does_not_know_it(
        self, ledger: LedgerWithRejections, clock: FakeClock
    ) -> None:
        horizon = validate(ledger, self.early)
        take(ledger, self.early, horizon=horizon)
        horizon = validate(ledger, self.late)
        with pytest.raises(ChunkBusy):
            take(ledger, self.late, "two", horizon=horizon)
        with pytest.raises(ChunkBusy):
            take(ledger, self.late, "one", horizon=horizon)
        clock.advance(LEASE + 1)
        assert take(ledger, self.late, "two", horizon=horizon).position.ordinal == 0

    def test_chunks_that_know_each_other_write_side_by_side(self, ledger: LedgerWithRejections) -> None:
        validate(ledger, self.early)
        horizon = validate(ledger, self.late)
        take(ledger, self.early, horizon=horizon)
        assert not take(ledger, self.late, "two", horizon=horizon).sealed

    def test_an_earlier_live_chunk_does_not_wait_for_a_later_one(self, ledger: LedgerWithRejections) -> None:
        validate(ledger, self.late)
        horizon = validate(ledger, self.early)
        take(ledger, self.late, horizon=1)
        assert not take(ledger, self.early, "two", horizon=horizon).sealed

    def test_losers_named_before_a_later_chunk_began_are_out_of_date(
        self, ledger: LedgerWithRejections
    ) -> None:
        old = validate(ledger, self.early)
        new = validate(ledger, self.late)
        ledger.seal(take(ledger, self.late, horizon=new), seconds=1.0)
        with pytest.raises(ChunkBusy):
            take(ledger, self.early, "two", horizon=old)
        assert not take(ledger, self.early, "two", horizon=new).sealed

    def test_a_sealed_chunk_is_sealed_whatever_the_horizon(self, ledger: LedgerWithRejections) -> None:
        old = validate(ledger, self.early)
        ledger.seal(take(ledger, self.early, horizon=old), seconds=1.0)
        new = validate(ledger, self.late)
        ledger.seal(take(ledger, self.late, horizon=new), seconds=1.0)
        assert take(ledger, self.early, horizon=old).sealed

    def test_an_expired_writer_cannot_come_back_behind_a_later_chunk(
        self, ledger: LedgerWithRejections, clock: FakeClock
    ) -> None:
        stale = take(ledger, self.early, horizon=validate(ledger, self.early))
        horizon = validate(ledger, self.late)
        clock.advance(LEASE + 1)
        take(ledger, self.late, "two", horizon=horizon)
        with pytest.raises(LeaseLost):
            move(ledger, stale, 1)

    def test_a_released_or_ended_chunk_holds_nobody_up(self, ledger: LedgerWithRejections) -> None:
        held = take(ledger, self.early, horizon=validate(ledger, self.early))
        horizon = validate(ledger, self.late)
        ledger.release(held, "stopped")
        later = take(ledger, self.late, "two", horizon=horizon)
        ledger.release(later, "stopped")
        ledger.fail(take(ledger, self.early, horizon=horizon), "refused", seconds=1.0)
        assert not take(ledger, self.late, "two", horizon=horizon).sealed

    def test_other_targets_and_stages_hold_nobody_up(self, ledger: LedgerWithRejections) -> None:
        take(ledger, self.early, horizon=validate(ledger, self.early))
        horizon = validate(ledger, self.late)
        assert not take(ledger, self.late, "two", stage="index", horizon=horizon).sealed
        other = sample_chunk("c", target="other")
        assert not take(ledger, other, "two", horizon=validate(ledger, other)).sealed
