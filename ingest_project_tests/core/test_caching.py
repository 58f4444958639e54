"""What is kept is bounded and true: it ends by time, by room, and with its owner's next write."""

from __future__ import annotations

import random
from typing import Any

from ingest_project.core.caching import ENTRY_BYTES, CacheSettings, MemoryCache


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def cache_of(**settings: Any) -> tuple[MemoryCache, Clock]:
    clock = Clock()
    return MemoryCache(clock=clock, settings=CacheSettings(**settings)), clock


async def put(cache: MemoryCache, owner: str, key: str, value: bytes) -> None:
    await cache.keep(owner, (await cache.find(owner, [])).stamp, {key: value})


async def test_a_value_is_found_until_its_time_is_over() -> None:
    cache, clock = cache_of(ttl=300)
    await put(cache, "ana", "a", b"1")
    clock.now += 299
    assert {"a": b"1"} == (await cache.find("ana", ["a", "b"])).values
    clock.now += 1
    assert {} == (await cache.find("ana", ["a"])).values
    assert (0, 0) == (len(cache), cache.held)
    assert 1 / 3 == cache.counts.rate


async def test_a_write_ends_all_of_its_owner_and_nothing_of_others() -> None:
    cache, _ = cache_of()
    await put(cache, "ana", "a", b"1")
    await put(cache, "bo", "a", b"2")
    assert await cache.forget("ana")
    assert {} == (await cache.find("ana", ["a"])).values
    assert {"a": b"2"} == (await cache.find("bo", ["a"])).values


async def test_who_writes_is_told_the_mark_before_and_behind() -> None:
    cache, _ = cache_of(settle=60)
    before = (await cache.find("ana", [])).mark
    forgotten = await cache.forget("ana")
    looked = await cache.find("ana", [])
    assert (before, looked.mark, None) == (forgotten.before, forgotten.after, looked.stamp)


async def test_what_was_read_before_a_write_is_not_kept_behind_it() -> None:
    cache, clock = cache_of(settle=0)
    stamp = (await cache.find("ana", ["a"])).stamp
    await cache.forget("ana")
    clock.now += 60
    await cache.keep("ana", stamp, {"a": b"old"})
    assert {} == (await cache.find("ana", ["a"])).values


async def test_nothing_is_kept_until_the_indexes_have_settled() -> None:
    cache, clock = cache_of(settle=2)
    await cache.forget("ana")
    clock.now += 1.9
    assert (await cache.find("ana", ["a"])).stamp is None
    clock.now += 0.1
    await put(cache, "ana", "a", b"1")
    assert {"a": b"1"} == (await cache.find("ana", ["a"])).values


async def test_count_and_bytes_are_bounds_and_the_least_used_goes_first() -> None:
    cache, _ = cache_of(count=2)
    for key in "ab":
        await put(cache, "ana", key, b"1")
    await cache.find("ana", ["a"])
    await put(cache, "ana", "c", b"1")
    assert {"a", "c"} == (await cache.find("ana", ["a", "b", "c"])).values.keys()
    assert 1 == cache.counts.evicted


async def test_bytes_are_those_of_what_stands_whatever_happens() -> None:
    rng = random.Random(1)
    cache, clock = cache_of(count=20, bytes=20 * ENTRY_BYTES, settle=0)
    for _ in range(2_000):
        owner, key = rng.choice("abcdefgh"), rng.choice("uvwxyz")
        if rng.random() < 0.1:
            await cache.forget(owner)
        await put(cache, owner, key, bytes(rng.randrange(3 * ENTRY_BYTES)))
        clock.now += rng.random() * 30
        assert cache.held <= 20 * ENTRY_BYTES
        assert len(cache) <= 20
    for owner in "abcdefgh":
        await cache.forget(owner)
    assert (0, 0) == (cache.held, len(cache))


async def test_a_value_larger_than_all_room_is_not_kept() -> None:
    cache, _ = cache_of(bytes=1_000)
    await put(cache, "ana", "a", bytes(2_000))
    assert 0 == len(cache)
