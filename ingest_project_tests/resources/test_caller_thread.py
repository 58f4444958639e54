"""CallerThread: the loop elsewhere, the caller's own calls in the caller's thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ingest_project.resources.caller_thread import CallerThread


def where() -> str:
    return threading.current_thread().name


def test_calls_run_in_the_callers_thread_and_the_work_in_another() -> None:
    caller: CallerThread[list[str]] = CallerThread()

    async def work() -> list[str]:
        return [where(), await caller.offload(where)]

    assert ["event-loop", where()] == caller.run(work)


def test_a_caller_with_an_event_loop_of_its_own_may_wait_for_the_work() -> None:
    async def notebook() -> int:
        async def work() -> int:
            return 7

        return CallerThread[int]().run(work)

    assert 7 == asyncio.run(notebook())


def test_what_the_work_or_a_call_raises_is_raised_to_the_caller() -> None:
    caller: CallerThread[None] = CallerThread()

    def fail() -> None:
        raise ValueError("no")

    async def work() -> None:
        await caller.offload(fail)

    with pytest.raises(ValueError, match="no"):
        caller.run(work)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupt_of_the_caller_cancels_the_work_and_waits_for_its_end() -> None:
    caller: CallerThread[None] = CallerThread()
    ended = []

    async def work() -> None:
        try:
            await caller.offload(interrupt)
        except InterruptedError:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        caller.run(work)
    assert [True] == ended
