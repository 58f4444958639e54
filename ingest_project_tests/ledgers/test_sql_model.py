"""SqlLedger against the in-memory ledger: whatever is done to both, in any order, both say the same."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from ingest_project.core.errors import ChunkBusy, CountLost, LeaseLost
from ingest_project.core.model import Claim, Counts, Position
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.laws_ledger import LEASE, dead_letter
from ingest_project.testing.samples import sample_chunk, sample_work

RECORDS = 2
CHUNKS = [sample_chunk(name, records=RECORDS) for name in ("a", "b", "c")]
CHUNKS.append(sample_chunk("a", records=RECORDS, target="other"))
CHUNKS.append(sample_chunk("a", records=RECORDS, date="2026-01-02"))
STAGES = ("validated", "table", "index")


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the name of what it raises."""
    try:
        return call()
    except (ChunkBusy, CountLost, LeaseLost) as error:
        return type(error).__name__


def told(claim: Any) -> Any:
    """What a claim says beside its owner."""
    if not isinstance(claim, Claim):
        return claim
    return (claim.sealed, claim.epoch, claim.position, claim.position.token, claim.counts)


class TwoLedgers(RuleBasedStateMachine):
    """Every step is taken on both."""

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.folder = tempfile.TemporaryDirectory()
        self.sql = SqlLedger(Path(self.folder.name) / "ledger.db", clock=self.clock)
        self.plain = InMemoryLedger(self.clock)

    def teardown(self) -> None:
        self.sql.close()
        self.folder.cleanup()

    @rule(
        target=claims,
        chunk=st.sampled_from(CHUNKS),
        stage=st.sampled_from(STAGES),
        owner=st.sampled_from(["one", "two"]),
        identity=st.sampled_from(["i1", "i1", "i1", "i2"]),
        behind=st.integers(0, 2),
    )
    def claim(self, chunk: Any, stage: str, owner: str, identity: str, behind: int) -> Any:
        horizon = max(0, self.plain.horizon(chunk.entity, chunk.target) - behind)
        work = sample_work(chunk, stage, identity=identity, horizon=horizon)
        got = [outcome(lambda at=at: at.claim(work, owner=owner, lease=LEASE)) for at in self.both]
        assert told(got[0]) == told(got[1])
        return got if isinstance(got[0], Claim) else None

    @rule(pair=claims, records=st.integers(1, RECORDS), refused=st.booleans(), lost=st.integers(0, 9))
    def advance(self, pair: Any, records: int, refused: bool, lost: int) -> None:
        if pair is None:
            return
        start = pair[0].position.ordinal
        letters = [dead_letter(start)] if refused else []
        written = records - len(letters) - (lost == 0)
        counts = Counts(sent=records, written=written, rejected=len(letters))
        where = Position(start + records, "t")
        self.same(pair, lambda at, claim: at.advance(claim, where, counts, letters, lease=LEASE))

    @rule(pair=claims)
    def seal(self, pair: Any) -> None:
        self.same(pair, lambda at, claim: at.seal(claim, seconds=0.5))

    @rule(pair=claims)
    def fail(self, pair: Any) -> None:
        self.same(pair, lambda at, claim: at.fail(claim, "broken", seconds=0.25))

    @rule(pair=claims)
    def release(self, pair: Any) -> None:
        self.same(pair, lambda at, claim: at.release(claim, "stopped"))

    @rule(chunk=st.sampled_from(CHUNKS), stage=st.sampled_from(STAGES))
    def complete(self, chunk: Any, stage: str) -> None:
        """The usual way, so that machines get far: claim with full knowledge, all records, seal."""
        horizon = self.plain.horizon(chunk.entity, chunk.target)
        work = sample_work(chunk, stage, identity="i1", horizon=horizon)

        def run(at: Any) -> str:
            claim = at.claim(work, owner="one", lease=LEASE)
            if claim.sealed:
                return "sealed"
            left = RECORDS - claim.position.ordinal
            counts = Counts(sent=left, written=left)
            at.advance(claim, Position(RECORDS, "end"), counts, (), lease=LEASE)
            at.seal(claim, seconds=1.0)
            return "done"

        assert outcome(lambda: run(self.plain)) == outcome(lambda: run(self.sql))

    @rule(seconds=st.sampled_from([1.0, LEASE - 1, LEASE, LEASE + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def accounts_agree(self) -> None:
        expected = {(row.chunk_id, row.stage): row for row in self.plain.status()}
        found = {(row.chunk_id, row.stage): row for row in self.sql.status()}
        assert expected.keys() == found.keys()
        for key, row in expected.items():
            same = found[key]
            assert (row.counts, row.seconds) == (same.counts, same.seconds)
            assert row.state == same.state or (row.state, same.state) == ("claimed", "open")
        works = [(chunk, stage) for chunk in CHUNKS for stage in STAGES]
        kept = {
            (chunk.id, stage, letter)
            for chunk, stage in works
            for letter in self.plain.rejections(chunk, stage)
        }
        letters = self.sql.dead_letters.list(limit=1000)
        assert kept == {(letter.chunk_id, letter.stage, letter.rejection) for letter in letters}
        for target in ("messages", "other"):
            assert self.plain.horizon("messages", target) == self.sql.horizon("messages", target)

    @property
    def both(self) -> tuple[Any, Any]:
        return (self.plain, self.sql)

    def same(self, pair: Any, call: Callable[[Any, Claim], None]) -> None:
        if pair is not None:
            plain, sql = pair
            assert outcome(lambda: call(self.plain, plain)) == outcome(lambda: call(self.sql, sql))


TestTwoLedgers = TwoLedgers.TestCase
TestTwoLedgers.settings = settings(max_examples=40, stateful_step_count=25)
