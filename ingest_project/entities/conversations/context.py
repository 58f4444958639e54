"""The context of a question: what was said last, of late, and about the same thing.

Built in parallel and kept a while. Reads by Query and by key alone, each a value of queries.py; what it took
is counted in metering.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ingest_project.core.access_patterns import Plain, Query
from ingest_project.core.caching import AnswerCache
from ingest_project.core.encoding import Encoder
from ingest_project.entities.conversations.keys import TIE_DIGITS, timestamp_of, user_date
from ingest_project.entities.conversations.metering import Meter
from ingest_project.entities.conversations.queries import (
    LAST_OF_SESSION,
    OF_SESSION,
    RECENT,
    RECENT_OF_DAY,
    STATISTICS,
)
from ingest_project.entities.conversations.similarity import Page, SearchSettings
from ingest_project.entities.conversations.vectors_in_table import VectorStore

SIMILAR, THRESHOLD, WINDOW = 2, 0.65, timedelta(days=7)
SEARCH = SearchSettings(fetched=4, few=8)
"""Two of eight: what sketches put among the first eight holds 98 of 100 of the two nearest."""


class ContextReader(Protocol):
    """What a context asks: sinks.table_reading.TableReader has it."""

    async def query(
        self,
        pattern: Query,
        partition: Plain,
        sort: Sequence[Plain] = (),
        filters: Mapping[str, Plain] | None = None,
        *,
        limit: int | None = None,
    ) -> Page: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message in short: the first characters of it, and its key in the history.

    Attributes:
        cosine: How near it is to the question, where it was found by that.
    """

    user_date: str
    timestamp_type: str
    timestamp: str
    role: str
    text: str
    session_id: str = ""
    cosine: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Of a user's last seven days. ``untold``: messages whose tokens nobody counted."""

    messages: int = 0
    tokens: int = 0
    untold: int = 0
    by_role: Mapping[str, int] = field(default_factory=dict)
    first: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known that may help with a question; each list newest or nearest first.

    Attributes:
        cached: Every part of it was.
    """

    session: Sequence[Said]
    recent: Sequence[Said]
    similar: Sequence[Said]
    statistics: Statistics
    cached: bool = False

    def messages(self) -> list[Said]:
        """All of them, each once, in the order in which they were said."""
        known = {
            (one.user_date, one.timestamp_type): one for one in (*self.similar, *self.recent, *self.session)
        }
        return sorted(known.values(), key=lambda one: one.timestamp_type)


@dataclass(slots=True, kw_only=True)
class ContextEngine:
    """Builds contexts over one reader; any number at a time in one event loop.

    Attributes:
        vectors: Of the encoder's dimensions and name.
        wall: Seconds since the epoch: which day it is; ``clock``: for what is measured.
    """

    reader: ContextReader
    encoder: Encoder
    cache: AnswerCache
    vectors: VectorStore
    meter: Meter
    wall: Callable[[], float]
    clock: Callable[[], float]
    threshold: float = THRESHOLD

    async def build_context(self, query: str, user_id: str, session_id: str) -> Context:
        """Last 5 of the session, 8 recent of today and yesterday, 2 similar, statistics of 7 days.

        Raises:
            TransientFailure: The tables do not answer.
            PermanentFailure: They refuse a read.
        """
        began = self.clock()
        # Neighbours are those that stand not around already, so they are kept by session as well.
        names = (f"around:{session_id}", f"like:{session_id}:{text_hash(query)}")
        looked = await self.cache.find(user_id, names)
        surroundings, meaning = (looked.values.get(name) for name in names)
        around = asyncio.ensure_future(
            _known_or(surroundings, lambda: self._surroundings(user_id, session_id))
        )
        like = _known_or(meaning, lambda: self._meaning(user_id, query, around))
        parts = dict(zip(names, await _all_of([around, like]), strict=True))
        missing = {name: value for name, value in parts.items() if name not in looked.values}
        await self.cache.keep(user_id, looked.stamp, missing)
        found = _context(*parts.values(), cached=not missing)
        self.meter.built(
            self.clock() - began,
            session=(user_id, session_id),
            size=sum(map(len, parts.values())),
            cached=not missing,
        )
        return found

    async def _surroundings(self, user_id: str, session_id: str) -> bytes:
        """What does not depend on the question."""
        now = datetime.fromtimestamp(self.wall(), UTC)
        session, today, yesterday, week = await _all_of(
            [
                self.reader.query(LAST_OF_SESSION, session_id),
                self.reader.query(RECENT_OF_DAY, user_date(user_id, now)),
                self.reader.query(RECENT_OF_DAY, user_date(user_id, now - timedelta(days=1))),
                self.reader.query(STATISTICS, user_id, [timestamp_of(now - WINDOW)]),
            ]
        )
        mine = [said(item) for item in session.items if item["user_date"]["S"][:-11] == user_id]
        days = [
            said(item, user_date(user_id, day))
            for page, day in ((today, now), (yesterday, now - timedelta(days=1)))
            for item in page.items
        ]
        parts = {
            "session": [asdict(one) for one in mine[:OF_SESSION]],
            "recent": [asdict(one) for one in days[:RECENT]],
            "statistics": asdict(statistics(week.items)),
        }
        return json.dumps(parts).encode()

    async def _meaning(self, user_id: str, query: str, around: Awaitable[bytes]) -> bytes:
        """Messages like the question that stand not around."""
        began = self.clock()
        (vector,) = await asyncio.to_thread(self.encoder.encode, [query])
        encoded = self.clock()

        async def told() -> frozenset[str]:
            parts = json.loads(await around)
            return frozenset(
                one["timestamp_type"][-TIE_DIGITS:] for name in ("session", "recent") for one in parts[name]
            )

        found = await self.vectors.search(user_id, vector, count=SIMILAR, threshold=self.threshold, told=told)
        self.meter.searched(
            encode=encoded - began,
            search=self.clock() - encoded,
            looked_at=found.looked_at,
            broken=len(found.broken),
        )
        near = [said(one.item, cosine=one.cosine) for one in found.neighbours]
        return json.dumps([asdict(one) for one in near]).encode()


def text_hash(text: str) -> str:
    """32 hexadecimal digits of a question."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def said(item: Mapping[str, Any], day: str = "", cosine: float | None = None) -> Said:
    """A typed item of the history or of the embeddings, in short."""

    def text(*names: str) -> str:
        return next((str(item[name]["S"]) for name in names if name in item), "")

    return Said(
        user_date=day or text("user_date"),
        timestamp_type=text("timestamp_type"),
        timestamp=text("timestamp"),
        role=text("role"),
        text=text("content_summary", "text_preview"),
        session_id=text("session_id"),
        cosine=cosine,
    )


def statistics(items: Sequence[Mapping[str, Any]]) -> Statistics:
    """Of messages in the order of time."""
    told = [int(item["tokens"]["N"]) for item in items if "tokens" in item]
    roles: dict[str, int] = {}
    for item in items:
        role = str(item.get("role", {}).get("S", ""))
        roles[role] = roles.get(role, 0) + 1
    return Statistics(
        messages=len(items),
        tokens=sum(told),
        untold=len(items) - len(told),
        by_role=roles,
        first=str(items[0]["timestamp"]["S"]) if items else "",
        last=str(items[-1]["timestamp"]["S"]) if items else "",
    )


def _context(surroundings: bytes, meaning: bytes, *, cached: bool) -> Context:
    around = json.loads(surroundings)
    session = [Said(**one) for one in around["session"]]
    recent = [Said(**one) for one in around["recent"]]
    known = {(one.user_date, one.timestamp_type) for one in (*session, *recent)}
    near = [Said(**one) for one in json.loads(meaning)]
    similar = [one for one in near if (one.user_date, one.timestamp_type) not in known]
    return Context(
        session=session,
        recent=recent,
        similar=similar[:SIMILAR],
        statistics=Statistics(**around["statistics"]),
        cached=cached,
    )


async def _known_or(value: bytes | None, make: Callable[[], Awaitable[bytes]]) -> bytes:
    return await make() if value is None else value


async def _all_of(work: Sequence[Awaitable[Any]]) -> list[Any]:
    """All at once; when one fails, the others are not left running."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
