"""Workers and what files do to them: each ends as its limits say, and takes no other file along."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from ingest_project.core.errors import ConfigurationError, TransientFailure
from ingest_project.core.extracting import BROKEN, DIED, TOO_HUNGRY, TOO_LONG, TOO_SLOW, TXT, Unreadable
from ingest_project.sources.extract_workers import ExtractWorkers, WorkerLimits
from ingest_project_tests.sources.engines import ACTING, UNOPENED

LIMITS = WorkerLimits(memory=256 << 20, cpu=1, wall=60.0, text=1000, documents=50)


@pytest.fixture
async def one() -> AsyncIterator[ExtractWorkers]:
    async with ExtractWorkers(ACTING, workers=1, limits=LIMITS) as workers:
        yield workers


class Desk:
    """Files with words for the engine."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def file(self, words: str) -> Path:
        self._count += 1
        path = self._folder / f"{self._count}.txt"
        path.write_text(words)
        return path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def refused(workers: ExtractWorkers, file: Path) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        await workers.text(file, TXT)
    return caught.value


async def test_a_worker_is_used_for_many_files_until_it_has_had_enough(desk: Desk) -> None:
    limits = WorkerLimits(documents=3)
    async with ExtractWorkers(ACTING, workers=1, limits=limits) as workers:
        texts = [await workers.text(desk.file(f"text {number}\r\n"), TXT) for number in range(7)]
        assert [f"text {number}" for number in range(7)] == texts
        assert (3, 0) == (workers.started, workers.died)


@pytest.mark.parametrize(
    ("words", "cause", "said"),
    [
        ("die SEGV", DIED, "SIGSEGV"),
        ("exit", DIED, "exit code 3 .*goodbye"),
        ("burn", TOO_SLOW, "CPU time"),
        ("swell", TOO_HUNGRY, "allocation"),
        ("repeat 1001", TOO_LONG, "1001 bytes of text, 1000 at most"),
        ("refuse no pages in it", BROKEN, "no pages in it"),
    ],
)
async def test_a_harmful_file_is_named_by_its_cause_and_the_next_one_is_read(
    one: ExtractWorkers, desk: Desk, words: str, cause: str, said: str
) -> None:
    harmful, next_one = await asyncio.gather(
        refused(one, desk.file(words)), one.text(desk.file("the next"), TXT)
    )
    assert (cause, "the next") == (harmful.cause, next_one)
    assert re.search(said, harmful.detail) is not None


async def test_a_file_that_hangs_ends_by_the_clock(desk: Desk) -> None:
    limits = WorkerLimits(wall=1.5)
    async with ExtractWorkers(ACTING, workers=1, limits=limits) as workers:
        error = await refused(workers, desk.file("hang"))
        assert (TOO_SLOW, "the next") == (error.cause, await workers.text(desk.file("the next"), TXT))
    assert "clock" in error.detail


async def test_a_crash_that_does_not_come_again_is_no_fault_of_the_file(
    one: ExtractWorkers, desk: Desk
) -> None:
    assert "once" == await one.text(desk.file("once"), TXT)
    assert (2, 1) == (one.started, one.died)


async def test_a_worker_that_somebody_kills_delays_its_file_and_does_not_condemn_it(
    one: ExtractWorkers, desk: Desk
) -> None:
    with pytest.raises(TransientFailure, match="SIGKILL"):
        await one.text(desk.file("die KILL"), TXT)
    await one.text(desk.file("idle"), TXT)
    (pid,) = one.pids
    os.kill(pid, signal.SIGKILL)
    assert "the next" == await one.text(desk.file("the next"), TXT)


async def test_what_a_library_prints_does_not_get_among_the_answers(one: ExtractWorkers, desk: Desk) -> None:
    assert ["print", "the next"] == [await one.text(desk.file(words), TXT) for words in ("print", "the next")]


async def test_a_worker_sees_nothing_of_our_environment(
    one: ExtractWorkers, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    expected = ["HOME", "LANG", "PATH", "PYTHONPATH", "TMPDIR"]
    assert expected == [
        name for name in (await one.text(desk.file("look"), TXT)).split() if name != "LC_CTYPE"
    ]


async def test_an_engine_that_cannot_be_opened_stops_everything_and_says_why(desk: Desk) -> None:
    async with ExtractWorkers(UNOPENED, workers=1) as workers:
        with pytest.raises(ConfigurationError, match=r"unopened cannot be opened.*not here"):
            await workers.text(desk.file("text"), TXT)


async def test_closing_ends_the_workers_at_work_and_a_later_file_starts_others(
    one: ExtractWorkers, desk: Desk
) -> None:
    hanging = asyncio.create_task(one.text(desk.file("hang"), TXT))
    while not one.pids:
        await asyncio.sleep(0.01)
    pids = one.pids
    await one.aclose()
    with pytest.raises(TransientFailure, match="ended over"):
        await hanging
    assert {False} == {psutil.pid_exists(pid) for pid in pids}
    assert "the next" == await one.text(desk.file("the next"), TXT)


PARENT = """
import asyncio, sys
from pathlib import Path
from ingest_project.sources.extract_workers import ExtractWorkers, WorkerLimits
from ingest_project_tests.sources.engines import ACTING

async def main():
    workers = ExtractWorkers(ACTING, workers=2, limits=WorkerLimits(wall=2.0))
    await workers.text(Path(sys.argv[1]), "txt")
    hanging = asyncio.create_task(workers.text(Path(sys.argv[2]), "txt"))
    other = asyncio.create_task(workers.text(Path(sys.argv[1]), "txt"))
    await other
    sys.stdout.write(" ".join(map(str, workers.pids)) + "\\n")
    sys.stdout.flush()
    await hanging

asyncio.run(main())
"""


async def test_workers_of_a_killed_process_end_idle_ones_at_once_and_busy_ones_by_the_clock(
    desk: Desk,
) -> None:
    words = [sys.executable, "-c", PARENT, str(desk.file("text")), str(desk.file("hang"))]
    parent = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pids = list(map(int, (await parent.stdout.readline()).split()))
    workers = [psutil.Process(pid) for pid in pids]
    parent.kill()
    await parent.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 60)
    assert (2, []) == (len(pids), alive)


async def test_more_files_than_workers_wait_their_turn(desk: Desk) -> None:
    async with ExtractWorkers(ACTING, workers=2, limits=LIMITS) as workers:
        files = [desk.file(f"text {number}") for number in range(12)]
        texts = await asyncio.gather(*(workers.text(file, TXT) for file in files))
        assert [f"text {number}" for number in range(12)] == texts
        assert 1 <= workers.started <= 2


def test_no_workers_and_no_room_are_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="0 workers"):
        ExtractWorkers(ACTING, workers=0)
    with pytest.raises(ConfigurationError, match="no file can be read"):
        WorkerLimits(cpu=0)
