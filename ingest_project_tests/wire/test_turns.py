"""Turns: as many at a time as there is room for, first come, first served, whoever gives up meanwhile."""

from __future__ import annotations

import asyncio

from ingest_project.wire.pool import Turns


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_room_is_given_in_the_order_of_asking_and_not_taken_past_who_waits() -> None:
    turns, came = Turns(2), list[int]()

    async def one(number: int) -> None:
        if not turns.take():
            await turns.wait()
        came.append(number)

    tasks = [asyncio.create_task(one(number)) for number in range(5)]
    await settle()
    assert [0, 1] == came
    turns.give()
    assert not turns.take()
    await settle()
    assert [0, 1, 2] == came
    turns.give()
    turns.give()
    await settle()
    assert [0, 1, 2, 3, 4] == came
    assert not turns.take()
    turns.give()
    assert turns.take()
    await asyncio.gather(*tasks)


async def test_who_gives_up_waiting_takes_nobodys_turn() -> None:
    turns = Turns(1)
    assert turns.take()
    first, second = (asyncio.create_task(turns.wait()) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    turns.give()
    await second
    assert not turns.take()


async def test_a_turn_that_came_too_late_is_passed_on() -> None:
    turns = Turns(1)
    assert turns.take()
    first, second = (asyncio.create_task(turns.wait()) for _ in range(2))
    await settle()
    turns.give()
    first.cancel()
    await second
    assert first.cancelled()
    turns.give()
    assert turns.take()
