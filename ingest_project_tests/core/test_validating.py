"""The validator: parts, rejections, faults, and what a kill leaves behind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import CountLost, LeaseLost, TargetMissing, TransientFailure
from ingest_project.core.model import Admitted, Chunk, Counts, PartInfo, Position, RecordBatch, Work
from ingest_project.core.validating import Validator, ValidatorSettings
from ingest_project.testing.doubles import EqualsAdmission, InMemoryLedger, InMemoryPartStore, NullPartStore
from ingest_project.testing.faults import Killed, KillPoint, Life
from ingest_project_tests.core.validating import URI, Bench, contract

RECORDS = [b"k%d=v" % at if at % 4 else b"bad%d" % at for at in range(40)]

records = st.lists(st.sampled_from([b"a=1", b"b=2", b"bad", b"long=" + b"x" * 30, b""]), max_size=40)


def test_good_records_become_parts_and_bad_ones_rejections() -> None:
    bench = Bench(records=RECORDS)
    result = bench.validate()
    bench.check()
    assert (
        result.sealed,
        result.counts.sent,
        result.counts.written,
        result.counts.rejected,
    ) == (True, 40, 30, 10)
    assert len(bench.store.parts(bench.chunk)) > 3


def test_an_empty_chunk_publishes_an_empty_manifest_and_is_sealed() -> None:
    bench = Bench(records=[], broken=True)
    assert not bench.validate().sealed
    assert bench.store.parts(bench.chunk) == ()


def test_a_sealed_chunk_is_not_read_again() -> None:
    bench = Bench(records=RECORDS)
    bench.validate()
    reads, writes = len(bench.source.reads), len(bench.store.writes)
    again = bench.validate("two")
    assert (True, True, Counts(), 40) == (again.sealed, again.replayed, again.new, again.counts.sent)
    assert (reads, writes) == (len(bench.source.reads), len(bench.store.writes))


def test_a_broken_file_publishes_what_stood_before_the_fault_and_fails() -> None:
    bench = Bench(records=RECORDS, broken=True)
    result = bench.validate()
    bench.check()
    (row,) = bench.ledger.status()
    assert (result.sealed, row.state) == (False, "failed")
    fault = bench.chunk.fault
    assert fault is not None
    assert f"{URI}: byte {fault.offset}: expected a record" == result.reason == row.reason
    assert bench.ledger.horizon("messages", "messages") == 1


def test_a_failed_chunk_tried_again_fails_again_and_doubles_nothing() -> None:
    bench = Bench(records=RECORDS, broken=True)
    bench.validate()
    assert not bench.validate("two").sealed
    bench.check()


def test_a_file_that_changed_publishes_nothing() -> None:
    bench = Bench(records=RECORDS)
    bench.source.put(URI, [b"other=1"])
    result = bench.validate()
    assert (False, f"{URI} is no longer {bench.chunk.range.etag}") == (result.sealed, result.reason)
    with pytest.raises(TargetMissing):
        bench.store.parts(bench.chunk)


@given(records, st.booleans(), st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=4))
def test_after_any_kills_everything_is_there_once(
    given_records: list[bytes], broken: bool, kills: list[tuple[int, bool]]
) -> None:
    bench = Bench(records=[*given_records, b"last=1"], broken=broken)
    for number, (at, after) in enumerate(kills):
        try:
            bench.validate(f"owner {number}", KillPoint(Life(), at, after))
        except Killed:
            bench.clock.advance(bench.settings.lease + 1)
    assert broken is not bench.validate("last").sealed
    bench.check()


def test_a_resume_reads_and_stores_only_what_is_not_durable() -> None:
    bench = Bench(records=RECORDS)
    with pytest.raises(Killed):
        bench.validate("one", KillPoint(Life(), 8))
    bench.clock.advance(11)
    durable, stored = bench.ledger.position(bench.chunk, "validated"), len(bench.store.writes)
    assert 0 < durable.ordinal < 40
    bench.validate("two")
    assert Position(durable.ordinal) == bench.source.reads[-1]
    assert str(durable.ordinal) == bench.source.reads[-1].token
    numbers = [number for _, number in bench.store.writes[stored:]]
    assert numbers == list(range(min(numbers), len(bench.store.parts(bench.chunk))))
    bench.check()


def test_many_rejections_are_stored_before_they_pile_up() -> None:
    bench = Bench(records=[b"bad"] * 200, settings=ValidatorSettings(letter_bytes=6000))
    steps: list[int] = []
    bench.validate(progress=lambda _, __, done, ___: steps.append(done))
    assert len(steps) > 10
    assert bench.store.writes == []
    bench.check()


def test_a_slow_part_renews_the_lease() -> None:
    bench = Bench(records=RECORDS, settings=ValidatorSettings(lease=10.0))

    class Slow(EqualsAdmission):
        def __call__(self, batch: RecordBatch) -> Admitted:
            bench.clock.advance(4.0)
            return super().__call__(batch)

    assert bench.validate(admission=lambda chunk: Slow()).sealed
    bench.check()


def test_a_stale_validator_publishes_nothing() -> None:
    bench = Bench(records=RECORDS[:4], settings=ValidatorSettings(lease=10.0))

    class Asleep(EqualsAdmission):
        def __call__(self, batch: RecordBatch) -> Admitted:
            bench.clock.advance(11.0)
            return super().__call__(batch)

    with pytest.raises(LeaseLost):
        bench.validate(admission=lambda chunk: Asleep())
    with pytest.raises(TargetMissing):
        bench.store.parts(bench.chunk)


def test_a_validator_that_was_overtaken_behind_its_last_part_publishes_nothing() -> None:
    bench = Bench(records=RECORDS)

    def overtake(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        if done == len(RECORDS):
            bench.clock.advance(bench.settings.lease + 1)
            bench.ledger.claim(Work(chunk=chunk, stage=stage, identity="memory"), owner="two", lease=60)

    with pytest.raises(LeaseLost):
        bench.validate(progress=overtake)
    with pytest.raises(TargetMissing):
        bench.store.parts(bench.chunk)


def test_a_contract_that_loses_a_record_is_never_believed() -> None:
    bench = Bench(records=RECORDS)

    class Losing(EqualsAdmission):
        def __call__(self, batch: RecordBatch) -> Admitted:
            made = super().__call__(batch)
            return Admitted(lines=made.lines[1:], hashes=made.hashes, offsets=made.offsets)

    with pytest.raises(CountLost):
        bench.validate(admission=lambda chunk: Losing())
    (row,) = bench.ledger.status()
    assert row.state == "failed"


def test_a_store_that_stumbles_releases_the_chunk() -> None:
    class Stumbling(InMemoryPartStore):
        def write(
            self,
            chunk: Chunk,
            info: PartInfo,
            lines: Sequence[bytes],
            hashes: Sequence[bytes],
            offsets: Sequence[int],
        ) -> int:
            raise TransientFailure("the store does not answer")

    bench = Bench(records=RECORDS)
    with pytest.raises(TransientFailure):
        bench.validate(store=Stumbling())
    (row,) = bench.ledger.status()
    assert row.state == "open"
    bench.validate("two")
    bench.check()


def test_a_dry_run_counts_and_stores_nothing() -> None:
    bench = Bench(records=RECORDS)
    validator = Validator(
        source=bench.source,
        admission=contract,
        parts=NullPartStore(),
        ledger=InMemoryLedger(bench.clock),
        clock=bench.clock,
    )
    result = validator.validate(bench.chunk, "dry")
    assert (result.sealed, result.counts.written, result.counts.rejected) == (True, 30, 10)


def test_progress_tells_each_durable_step() -> None:
    bench = Bench(records=RECORDS)
    steps: list[tuple[int, int]] = []
    bench.validate(progress=lambda _, __, done, counts: steps.append((done, counts.sent)))
    assert steps[-1] == (40, 40)
    assert all(done == sent for done, sent in steps)


def test_parts_follow_each_other_without_a_gap() -> None:
    bench = Bench(records=RECORDS)
    bench.validate()
    parts: list[PartInfo] = list(bench.store.parts(bench.chunk))
    assert [0, *(info.first + info.records for info in parts)][:-1] == [info.first for info in parts]
