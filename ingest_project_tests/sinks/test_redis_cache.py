"""Against a real Redis: processes share what is kept, a write of one ends it for all."""

from __future__ import annotations

import asyncio
import socket
import uuid

import pytest

from ingest_project.core.caching import CacheSettings
from ingest_project.core.errors import ConfigurationError
from ingest_project.sinks.redis_cache import RedisCache
from ingest_project.testing.running import RunningServer


def caches(server: RunningServer, **settings: float) -> tuple[RedisCache, RedisCache]:
    """Two processes' worth, on keys of their own."""
    prefix, made = uuid.uuid4().hex, CacheSettings(**{"settle": 0.001, **settings})
    one, two = (RedisCache(server.url, made, prefix=prefix, patience=5) for _ in range(2))
    return one, two


async def settled(cache: RedisCache, owner: str) -> str:
    """The stamp, as soon as there is one."""
    while (stamp := (await cache.find(owner, [])).stamp) is None:
        await asyncio.sleep(0.001)
    return stamp


async def test_what_one_process_keeps_another_finds_until_a_third_writes(redis: RunningServer) -> None:
    one, two = caches(redis)
    async with one, two:
        await one.keep("ana", (await one.find("ana", ["a"])).stamp, {"a": b"1 2", "b": b""})
        assert {"a": b"1 2", "b": b""} == (await two.find("ana", ["a", "b", "c"])).values
        assert await two.forget("ana")
        assert {} == (await one.find("ana", ["a", "b"])).values
        assert (0, 3) == (one.counts.hits, one.counts.misses)
        assert (2, 1) == (two.counts.hits, two.counts.misses)


async def test_what_was_read_before_a_write_is_not_true_behind_it(redis: RunningServer) -> None:
    one, two = caches(redis)
    async with one, two:
        before = (await one.find("ana", ["a"])).stamp
        await two.forget("ana")
        await one.keep("ana", before, {"a": b"old"})
        await one.keep("bo", before, {"a": b"other"})
        assert {} == (await two.find("ana", ["a"])).values
        assert {"a": b"other"} == (await two.find("bo", ["a"])).values
        await one.keep("ana", await settled(one, "ana"), {"a": b"new"})
        assert {"a": b"new"} == (await two.find("ana", ["a"])).values


async def test_nothing_is_kept_right_behind_a_write(redis: RunningServer) -> None:
    one, two = caches(redis, settle=60)
    async with one, two:
        await one.forget("ana")
        assert (await two.find("ana", [])).stamp is None


async def test_who_writes_is_told_whose_write_was_before(redis: RunningServer) -> None:
    one, two = caches(redis)
    async with one, two:
        first = await one.forget("ana")
        second = await two.forget("ana")
        assert first is not None
        assert second is not None
        assert ("-", first.after, second.after) == (
            first.before,
            second.before,
            (await one.find("ana", [])).mark,
        )


async def test_a_value_ends_by_itself(redis: RunningServer) -> None:
    one, two = caches(redis, ttl=0.005)
    async with one, two:
        await one.keep("ana", (await one.find("ana", [])).stamp, {"a": b"1"})
        while (await two.find("ana", ["a"])).values:
            await asyncio.sleep(0.001)


async def test_a_redis_that_is_away_is_a_miss_and_is_counted() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        async with RedisCache(url, patience=1) as cache:
            found = await cache.find("ana", ["a"])
            await cache.keep("ana", "-", {"a": b"1"})
            assert not await cache.forget("ana")
    assert ({}, None) == (found.values, found.stamp)
    assert (3, 1) == (cache.counts.failed, cache.counts.misses)


def test_an_address_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not an address of Redis"):
        RedisCache("http://127.0.0.1:1/")
