"""Generated rows of an old table of conversations, hostile on purpose: a function of seed and number alone.

Nothing is held: any stretch can be made anew, anywhere. Writes them through our own sink and loader.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random

from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader
from ingest_project.core.model import ItemBlock, Position, Rejection
from ingest_project.core.ports import Sink
from ingest_project.core.retrying import RetryPolicy
from ingest_project.formats.attribute_values import ItemLines, Value
from ingest_project.testing.conversation_texts import TOPICS, text_of
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project.testing.samples import sample_chunk, sample_work

BLOCK = 8
"""Consecutive messages of one session."""

OFFSETS = (0, 0, 0, -180, 345, 840, -720, -210, 60)
"""Minutes east of UTC that a block's clock is set to."""

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
_DAY = 86_400
_MICROSECONDS = 1_000_000
_LINES = 250
_WINDOW, _BUDGET = 16, 64 << 20
_TOPICS = tuple(TOPICS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What the messages of one block have in common.

    Attributes:
        same_second: All its timestamps are cut to one second, and its keys differ in microseconds only.
        twins: Each second message repeats the instant of the one before, told in another zone.
        naive: Its timestamps have no zone; they mean UTC.
    """

    user: str
    session: str
    topic: str
    start: datetime
    offset: int
    same_second: bool
    twins: bool
    naive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """So many rows of an old table, for ever the same.

    The newest is as old as ``now``; a third of them are older than 30 days. Some in a hundred are of one
    second, have odd zones or none, no tokens, no metadata, long or hostile texts.

    Attributes:
        count: At most a million: the microseconds tell them apart.
        busy: Share of the blocks that belong to the first user, whose partition is hot.
    """

    count: int = 200_000
    users: int = 500
    seed: int = 1
    now: datetime = NOW
    days: int = 45
    busy: float = 0.02

    def __post_init__(self) -> None:
        if not 0 < self.count <= _MICROSECONDS or self.users < 1:
            raise ValueError("1 to 1,000,000 messages of at least one user")

    def block(self, number: int) -> Block:
        """The block that message ``number * BLOCK`` begins."""
        rng = Random(f"{self.seed}/{number}")
        user = 0 if rng.random() < self.busy else rng.randrange(self.users)
        offset, kind = rng.choice(OFFSETS), rng.random()
        return Block(
            user=f"user-{user:04d}",
            session=f"session-{user:04d}-{rng.randrange(40):02d}",
            topic=_TOPICS[(user + rng.randrange(4)) % len(_TOPICS)],
            start=(self.now - timedelta(seconds=rng.randrange(600, self.days * _DAY))).replace(microsecond=0),
            offset=offset,
            same_second=kind < 0.06,
            twins=0.06 <= kind < 0.09,
            naive=offset == 0 and kind >= 0.8,
        )

    def message(self, number: int, block: Block | None = None) -> dict[str, Value]:
        """One row: attributes as the old table has them. Keys never repeat."""
        of = block or self.block(number // BLOCK)
        rng = Random(f"{self.seed}/{number // BLOCK}/{number % BLOCK}")
        role = _role(number % BLOCK, of)
        key, told = _times(number, of)
        row: dict[str, Value] = {
            "user_id": of.user,
            "sort_key": key,
            "timestamp": told,
            "session_id": of.session,
            "role": role,
            "content": text_of(rng, role, of.topic),
            "archived": rng.random() < 0.1,
        }
        draw = rng.random()
        if draw >= 0.1:
            row["tokens"] = rng.randrange(5, 400)
        if draw < 0.7:
            row["metadata"] = {"client": rng.choice(("web", "app")), "n": number, "tags": ["a", None, True]}
        return row

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[dict[str, Value]]:
        """Rows ``start`` to ``stop``, in their order."""
        block = self.block(start // BLOCK)
        for number in range(start, min(self.count if stop is None else stop, self.count)):
            if number % BLOCK == 0:
                block = self.block(number // BLOCK)
            yield self.message(number, block)


class MessageStream:
    """The rows as part lines: core.ports.ItemStream."""

    def __init__(self, messages: Messages) -> None:
        self._messages, self._lines = messages, ItemLines()

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        for first in range(after.ordinal, self._messages.count, _LINES):
            rows = self._messages.rows(first, first + _LINES)
            yield ItemBlock(first=first, entries=[self._lines.line(row) for row in rows], plain=True)

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        return Rejection(ordinal=ordinal, offset=-1, reason=reason, raw=body)


async def write_messages(messages: Messages, sink: Sink, *, window: int = _WINDOW) -> int:
    """Put all rows into the table of a sink; gives how many were written.

    Raises:
        TransientFailure, PermanentFailure: As the loader does.
    """
    identity = await sink.identity()
    loader = Loader(
        sink=sink,
        ledger=InMemoryLedger(time.monotonic),
        retry=RetryPolicy(base=0.05, attempts=20),
        budget=MemoryBudget(_BUDGET),
        governor=RateGovernor(time.monotonic, most=window, start=window),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(messages.seed),
    )
    chunk = sample_chunk("conversations", records=messages.count)
    done = await loader.load(sample_work(chunk, identity=identity), MessageStream(messages), "generator")
    return done.new.written


def _role(place: int, block: Block) -> str:
    """Turns alternate; twins have one role, and within one second a role speaks several times."""
    turn = place // 2 if block.twins else place
    return "user" if turn % 2 == 0 or (block.same_second and place == 3) else "assistant"


def _times(number: int, block: Block) -> tuple[str, str]:
    """Sort key and timestamp. The microseconds are the number's, so that no two keys are equal."""
    place = number % BLOCK
    zone = timezone(timedelta(minutes=block.offset))
    if block.same_second:
        moment = block.start.replace(microsecond=number % _MICROSECONDS).astimezone(zone)
        return moment.isoformat(), moment.replace(microsecond=0).isoformat()
    if block.twins:
        first = number - place % 2
        elsewhere = zone if place % 2 == 0 else timezone(timedelta(minutes=block.offset - 90))
        moment = block.start + timedelta(seconds=place - place % 2, microseconds=first % _MICROSECONDS)
        told = moment.astimezone(elsewhere).isoformat()
        return told, told
    moment = block.start + timedelta(seconds=40 * place, microseconds=number % _MICROSECONDS)
    told = moment.replace(tzinfo=None).isoformat() if block.naive else moment.astimezone(zone).isoformat()
    return told, told.replace("+00:00", "Z") if place == 5 else told
