"""The memory policy: what it decides at which reading, and that validator and loader do what it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest_project.core.errors import TransientFailure
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Admitted, Chunk, RecordBatch
from ingest_project.core.ports import Admission
from ingest_project.core.pressure import UNSEEN, MemoryPolicy, MemoryWatch, Pressure
from ingest_project.core.validating import Validator, ValidatorSettings
from ingest_project.testing.doubles import (
    EqualsAdmission,
    FakeClock,
    ListStream,
)
from ingest_project.testing.playing import Stage
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project_tests.core.test_validating import Bench

MB = 1 << 20


@dataclass(slots=True)
class Machine:
    """A machine whose memory a test sets, in its own time."""

    used: float = 0.0
    clock: FakeClock = field(default_factory=FakeClock)
    readings: int = 0
    told: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def read(self) -> int:
        self.readings += 1
        return int(self.used * 1000 * MB)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)

    def watch(self, *, every: float = 10.0, patience: float = 900.0) -> MemoryWatch:
        return MemoryWatch(
            policy=MemoryPolicy(budget=1000 * MB, every=every, patience=patience),
            clock=self.clock,
            sleep=self.sleep,
            reading=self.read,
            tell=self.told.append,
        )


@pytest.mark.parametrize(
    ("used", "rows"),
    [(0.0, 1000), (0.399, 1000), (0.4, 750), (0.6, 500), (0.799, 500), (0.8, 250), (0.899, 250)],
)
def test_rows_shrink_in_steps_with_the_share_of_the_budget_in_use(used: float, rows: int) -> None:
    watch = Machine(used).watch()
    assert watch.look()
    assert rows == watch.rows


def test_memory_is_read_at_once_and_then_every_ten_seconds() -> None:
    machine = Machine(0.5)
    watch = machine.watch()
    for _ in range(100):
        watch.look()
        machine.clock.advance(0.25)
    assert 3 == machine.readings


def test_at_ninety_percent_nothing_is_taken_until_it_is_less() -> None:
    machine = Machine(0.9)
    watch = machine.watch()
    assert not watch.look()
    machine.clock.advance(0.5)
    machine.used = 0.89
    assert watch.look()
    assert 250 == watch.rows
    machine.clock.advance(10)
    machine.used = 0.1
    assert watch.look()
    assert 1000 == watch.rows
    assert [
        "memory: 900 of 1,000 MB in use (90%): paused until it falls",
        "memory: 890 of 1,000 MB in use (89%): batches of 250 rows",
        "memory: 100 of 1,000 MB in use (10%): batches of 1,000 rows",
    ] == machine.told


def test_what_can_be_given_back_is_given_back_before_a_pause() -> None:
    machine = Machine(0.95)
    watch = machine.watch()

    def relieve() -> None:
        machine.used = 0.3

    watch.relieve = relieve
    assert watch.look()
    assert 1000 == watch.rows


def test_a_pause_that_does_not_end_hands_the_work_back() -> None:
    machine = Machine(0.99)
    watch = machine.watch(patience=60.0)
    assert not watch.look()
    machine.clock.advance(60)
    with pytest.raises(TransientFailure, match="since 60 s: gave up waiting"):
        watch.look()


def test_a_witness_has_what_was_seen_in_its_own_time() -> None:
    machine = Machine(0.45)
    watch = machine.watch()
    watch.look()
    with watch.witness() as first:
        machine.used = 0.95
        machine.clock.advance(10)
        watch.look()
        with watch.witness() as second:
            machine.used = 0.7
            machine.clock.advance(0.5)
            watch.look()
        machine.used = 0.1
        machine.clock.advance(10)
        watch.look()
    assert Pressure(peak=0.95, rows=500, paused=0.5) == first.seen
    assert Pressure(peak=0.95, rows=500, paused=0.5) == second.seen
    assert Pressure(peak=0.95, rows=250, paused=2.0) == first.seen | Pressure(peak=0.1, rows=250, paused=2.0)


def test_without_a_reading_nothing_ever_presses() -> None:
    watch = MemoryWatch()
    assert watch.look()
    with watch.witness() as witness:
        watch.look()
    assert (1000, UNSEEN) == (watch.rows, witness.seen)


@pytest.mark.parametrize(
    "words",
    [{"budget": 0}, {"rows": 0}, {"steps": ((0.5, 0.5), (0.4, 0.25))}, {"steps": ((0.4, 0.0),)}],
)
def test_a_policy_that_would_take_nothing_or_more_is_refused(words: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="never nothing"):
        MemoryPolicy(**words)


@dataclass(slots=True)
class Presses:
    """An admission under which memory fills up, batch by batch."""

    machine: Machine
    levels: dict[int, float]
    seen: int = 0
    inner: EqualsAdmission = field(default_factory=EqualsAdmission)

    def __call__(self, batch: RecordBatch) -> Admitted:
        self.seen += 1
        self.machine.used = self.levels.get(self.seen, self.machine.used)
        return self.inner(batch)


def validator(bench: Bench, machine: Machine, levels: dict[int, float], watch: MemoryWatch) -> Validator:
    presses = Presses(machine, levels)

    def admission(chunk: Chunk) -> Admission:
        return presses

    return Validator(
        source=bench.source,
        admission=admission,
        parts=bench.store,
        ledger=bench.ledger,
        clock=machine.clock,
        settings=ValidatorSettings(part_bytes=400, part_records=1000, lease=30.0),
        memory=watch,
    )


def test_parts_are_smaller_under_pressure_and_a_pause_stores_what_is_there() -> None:
    machine = Machine()
    bench = Bench(records=[b"%03d=x" % number for number in range(400)], clock=machine.clock)
    watch = machine.watch(every=0.0)
    validator(bench, machine, {60: 0.85}, watch).validate(bench.chunk, "one")
    sizes = [info.bytes for info in bench.store.parts(bench.chunk)]
    assert (True, True) == (sizes[0] >= 400, max(sizes[-3:-1]) < 200)
    bench.check()


def test_a_chunk_that_pauses_keeps_its_claim_and_goes_on_where_it_was() -> None:
    machine = Machine()
    bench = Bench(records=[b"%03d=x" % number for number in range(40)], clock=machine.clock)
    watch = machine.watch(every=0.0)

    def falls(seconds: float) -> None:
        machine.sleep(seconds)
        if len(machine.slept) == 200:
            machine.used = 0.5

    watch.sleep = falls
    with watch.witness() as witness:
        result = validator(bench, machine, {3: 0.93}, watch).validate(bench.chunk, "one")
    assert result.sealed
    assert (0.93, 750, 100.0) == (witness.seen.peak, witness.seen.rows, witness.seen.paused)
    bench.check()


def test_a_load_pauses_with_nothing_in_flight_and_goes_on_when_memory_is_there() -> None:
    stage = Stage(limits=BatchLimits(count=25, bytes=100_000))
    machine = Machine(clock=stage.clock)
    watch = machine.watch(every=0.0)
    sink = stage.sink()
    held: list[int] = []
    readings = iter([0.1, 0.2, *[0.95] * 60])

    def read() -> int:
        held.append(sink.in_flight)
        return int(next(readings, 0.5) * 1000 * MB)

    watch.reading = read
    loader = stage.loader(sink, memory=watch)
    stream = ListStream([b"k%04d=v" % number for number in range(5000)], size=500)
    with watch.witness() as witness:
        result = stage.clock.run(loader.load(sample_work(sample_chunk(records=5000)), stream, "one"))
    assert (True, 5000) == (result.sealed, len(stage.table))
    assert 0 in held[3:60]
    assert (0.95, 750) == (witness.seen.peak, witness.seen.rows)
    assert pytest.approx(30.0) == witness.seen.paused
