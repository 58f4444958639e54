"""Answers kept in Redis, for processes that share them: core.caching.AnswerCache over one server.

A cache that does not answer costs a miss, never an answer; each such call is counted.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from ingest_project.core.caching import CacheCounts, CacheSettings, Forgotten, Looked
from ingest_project.core.errors import ConfigurationError

PATIENCE_SECONDS = 0.25
"""For a connection and for an answer: the tables are asked instead."""

PREFIX = "ingest:context"
_NOBODY = b"-"


class RedisCache:
    """Each value carries the owner's last write as its stamp; a write changes that, and so ends all of them.

    The server bounds the bytes (``maxmemory``, ``allkeys-lru``); each value ends by its own time.

    Args:
        url: ``redis://[USER:PASSWORD@]HOST[:PORT]/DB``, or ``rediss://``.
        new_stamp: A word that was never used before.

    Raises:
        ConfigurationError: The extra ``redis`` is not installed, or the address is none.
    """

    def __init__(
        self,
        url: str,
        settings: CacheSettings | None = None,
        *,
        prefix: str = PREFIX,
        new_stamp: Callable[[], str] = lambda: uuid.uuid4().hex,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.settings, self.counts = settings or CacheSettings(), CacheCounts()
        self._prefix, self._new_stamp = prefix, new_stamp
        self._client, self._failure = _connected(url, patience)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def find(self, owner: str, keys: Sequence[str]) -> Looked:
        """See AnswerCache."""
        names = [self._name(owner, word) for word in ("stamp", "fresh", *(f"={key}" for key in keys))]
        try:
            stamp, fresh, *values = await self._client.mget(names)
        except self._failure:
            self.counts.failed += 1
            self.counts.note(len(keys), 0)
            return Looked(values={}, stamp=None)
        current = stamp or _NOBODY
        found = {}
        for key, value in zip(keys, values, strict=True):
            mark, _, body = (value or b"").partition(b" ")
            if value is not None and mark == current:
                found[key] = body
        self.counts.note(len(keys), len(found))
        mark = current.decode()
        return Looked(values=found, stamp=None if fresh else mark, mark=mark)

    async def keep(self, owner: str, stamp: str | None, values: Mapping[str, bytes]) -> None:
        """See AnswerCache."""
        if stamp is None or not values:
            return
        ends = max(1, round(self.settings.ttl * 1000))
        pipe = self._client.pipeline(transaction=False)
        for key, value in values.items():
            pipe.set(self._name(owner, f"={key}"), stamp.encode() + b" " + value, px=ends)
        try:
            await pipe.execute()
        except self._failure:
            self.counts.failed += 1

    async def forget(self, owner: str) -> Forgotten | None:
        """See AnswerCache."""
        # Outlives every value that is still to be kept under the stamp before it.
        ends = max(1, round(self.settings.ttl * 2000))
        name, after = self._name(owner, "stamp"), self._new_stamp()
        pipe = self._client.pipeline(transaction=True)
        pipe.get(name)
        pipe.set(name, after, px=ends)
        pipe.set(self._name(owner, "fresh"), "1", px=max(1, round(self.settings.settle * 1000)))
        try:
            before, *_ = await pipe.execute()
        except self._failure:
            self.counts.failed += 1
            return None
        return Forgotten(before=(before or _NOBODY).decode(), after=after)

    def _name(self, owner: str, word: str) -> str:
        return f"{self._prefix}:{{{owner}}}:{word}"


def _connected(url: str, patience: float) -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError
    except ImportError as error:
        raise ConfigurationError(
            "a cache in Redis needs the extra: pip install ingest-project[redis]"
        ) from error
    try:
        client: Any = Redis.from_url(url, socket_timeout=patience, socket_connect_timeout=patience)
    except ValueError as error:
        raise ConfigurationError(f"not an address of Redis: {error}") from error
    return client, (RedisError, OSError, TimeoutError)
