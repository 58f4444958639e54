"""Chunks side by side in one process, and the places that bound them on a host."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, current_thread

from ingest_project.core.errors import TransientFailure
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.outcomes import FAILED, SEALED, ChunkOutcome
from ingest_project.core.ports import Progress
from ingest_project.resources.abreast import Room, in_tasks, in_threads, room_for
from ingest_project.resources.places import Places
from ingest_project.testing.samples import sample_chunk

CHUNKS = [sample_chunk(name) for name in "abcdef"]


def outcome(chunk: Chunk, state: str = SEALED) -> ChunkOutcome:
    return ChunkOutcome(chunk=chunk, stage="table", state=state, counts=Counts(), fresh=Counts(), seconds=0.0)


def quiet(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
    return


def test_threads_work_on_as_many_chunks_at_once_as_they_are_and_one_failure_harms_no_other() -> None:
    together = Barrier(3)
    told: list[str] = []

    def attempt(chunk: Chunk, progress: Progress) -> ChunkOutcome:
        together.wait(10)
        progress("validated", chunk, 1, Counts())
        return outcome(chunk, FAILED if chunk == CHUNKS[2] else SEALED)

    def progress(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        told.append(current_thread().name)

    ended = list(in_threads(attempt, CHUNKS, Room(count=3), progress))
    assert sorted(chunk.id for chunk in CHUNKS) == sorted(each.chunk.id for each in ended)
    assert [CHUNKS[2]] == [each.chunk for each in ended if each.state == FAILED]
    assert {current_thread().name} >= set(told)


def test_large_chunks_wait_for_each_other_and_small_ones_go_together_in_their_order() -> None:
    weights = dict(zip((chunk.id for chunk in CHUNKS), (10, 9, 2, 30, 1, 1), strict=True))
    under_way: set[str] = set()
    together: list[str] = []

    async def attempt(chunk: Chunk) -> ChunkOutcome:
        under_way.add(chunk.id)
        await asyncio.sleep(0)
        together.append(
            "".join(name for name, one in zip("abcdef", CHUNKS, strict=True) if one.id in under_way)
        )
        await asyncio.sleep(0)
        under_way.remove(chunk.id)
        return outcome(chunk)

    room = Room(count=5, weigh=lambda chunk: weights[chunk.id], bytes=12)
    with asyncio.Runner() as runner:
        ended = list(in_tasks(runner, attempt, CHUNKS, room))
    assert set(CHUNKS) == {each.chunk for each in ended}
    assert ["a", "bc", "bc", "d", "ef", "ef"] == together


def test_what_a_chunk_counts_for() -> None:
    plain = replace(CHUNKS[0], range=replace(CHUNKS[0].range, start=0, end=100), compression="")
    validated, delivered = room_for("validated", 5, 40), room_for("table", 5, 40)
    assert (80, 100) == (validated.weigh(plain), delivered.weigh(plain))
    assert 20 == validated.weigh(replace(plain, range=replace(plain.range, end=10)))
    assert 80 == validated.weigh(replace(plain, range=replace(plain.range, end=10), compression="gzip"))


def test_threads_that_nobody_listens_to_any_more_end_at_their_next_durable_step() -> None:
    begun, stopped = Event(), Event()

    def attempt(chunk: Chunk, progress: Progress) -> ChunkOutcome:
        if chunk == CHUNKS[0]:
            begun.wait(10)
            return outcome(chunk)
        try:
            while True:
                progress("validated", chunk, 1, Counts())
                begun.set()
        except TransientFailure:
            stopped.set()
            raise

    attempts = in_threads(attempt, CHUNKS[:2], Room(count=2), quiet)
    next(attempts)
    attempts.close()
    assert stopped.is_set()


def test_tasks_of_one_loop_overlap_and_begin_in_order() -> None:
    at_work: list[str] = []
    most = 0
    begun: list[Chunk] = []

    async def attempt(chunk: Chunk) -> ChunkOutcome:
        nonlocal most
        begun.append(chunk)
        at_work.append(chunk.id)
        most = max(most, len(at_work))
        await asyncio.sleep(0)
        at_work.remove(chunk.id)
        return outcome(chunk)

    with asyncio.Runner() as runner:
        ended = list(in_tasks(runner, attempt, CHUNKS, Room(count=4)))
    assert (6, 4) == (len(ended), most)
    assert CHUNKS == begun


def test_tasks_are_cancelled_and_waited_for_when_the_caller_stops() -> None:
    released: list[Chunk] = []

    async def attempt(chunk: Chunk) -> ChunkOutcome:
        if chunk == CHUNKS[0]:
            return outcome(chunk)
        try:
            await asyncio.sleep(3600)
        finally:
            released.append(chunk)
        return outcome(chunk)

    with asyncio.Runner() as runner:
        attempts = in_tasks(runner, attempt, CHUNKS[:3], Room(count=3))
        next(attempts)
        attempts.close()
    assert CHUNKS[1:3] == sorted(released, key=lambda chunk: chunk.order)


def test_a_place_is_waited_for_and_free_again_when_it_was_left(tmp_path: Path) -> None:
    places, others = Places(tmp_path, 2), Places(tmp_path, 2)
    waits: list[float] = []
    with places.one():
        second = places.one()
        second.__enter__()

        def leave(seconds: float) -> None:
            waits.append(seconds)
            second.__exit__(None, None, None)

        with others.one(leave):
            assert 1 == len(waits)


def test_the_place_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ingest_project.resources.places import Places\n"
        "with Places(Path(sys.argv[1]), 1).one():\n"
        "    print('here', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert "here" == other.stdout.readline().strip()
        waits: list[float] = []

        def kill(seconds: float) -> None:
            waits.append(seconds)
            other.kill()
            other.wait()

        with Places(tmp_path, 1).one(kill):
            assert 1 == len(waits)
