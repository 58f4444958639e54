"""A table's write quota that many processes and hosts share: requests wait until the ledger's budget has
units for them. Who tries again, and what an objection of the table costs, is the governor's business.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from ingest_project.core.budgeting import Turn
from ingest_project.core.delivering import Offload, Sleep
from ingest_project.core.errors import ConfigurationError
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, WriteReport
from ingest_project.core.ports import Clock, Sink

GRANT_SECONDS = 0.25
"""Of the whole quota that a process takes at once: so much of it is not spread over its time, and the ledger
has four transactions a second of all processes, whatever the rate."""

LONGEST_GRANT = 1.0
"""Where the ledger is slow a grant lasts twice as long as asking for it took, up to this: a process that is
alone would else be held below the quota by its asking."""

UNIT = 1024
FRAME, AROUND = len('"":{"S":""},'), len('{"Item":{}}') - 1
"""Bytes of JSON beside an attribute's name and value, and around an item."""


class UnitBudget(Protocol):
    """The verb of core.budgeting.SharedBudget that is needed here, with a number of units."""

    def take(self, successes: int, units: float) -> Turn: ...


class QuotaSink:
    """core.ports.Sink within ``quota`` units a second over all that share the budget.

    In any ``t`` seconds all of them together send at most ``quota * t`` units, and a grant for each of them.

    Args:
        longest: Seconds of the quota that a grant has at most.
    """

    def __init__(
        self,
        sink: Sink,
        budget: UnitBudget,
        quota: float,
        *,
        longest: float = LONGEST_GRANT,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        offload: Offload = asyncio.to_thread,
    ) -> None:
        self._sink, self._budget, self._quota, self._longest = sink, budget, quota, longest
        self._clock, self._sleep, self._offload = clock, sleep, offload
        self._left, self._grant, self._door = 0.0, GRANT_SECONDS, asyncio.Lock()

    @property
    def limits(self) -> BatchLimits:
        return self._sink.limits

    async def identity(self) -> str:
        return await self._sink.identity()

    async def write(self, batch: Batch) -> WriteReport:
        """First come, first served; what is sent again is counted again."""
        cost = float(sum(map(units_of, batch.bodies)))
        async with self._door:
            while self._left < cost:
                units, asked = max(cost - self._left, self._quota * self._grant), self._clock()
                turn: Turn = await self._offload(partial(self._budget.take, int(units), units))
                self._grant = max(GRANT_SECONDS, min(self._longest, 2 * (self._clock() - asked)))
                await self._sleep(turn.wait)
                self._left += units
            self._left -= cost
        return await self._sink.write(batch)

    async def flush(self) -> None:
        await self._sink.flush()


def units_of(body: bytes) -> int:
    """What DynamoDB counts for an item, nearly: its names and values, without the frame of its JSON.

    A quote within a value is escaped, so that no value looks like a frame; a map's own is no attribute's.
    Numbers take less than their digits, and list elements more than their frames: neither is looked at.
    """
    frames = FRAME * (body.count(b'":{"') - body.count(b'"M":{"')) + body.count(b"\\") + AROUND
    return max(1, -(-(len(body) - frames) // UNIT))


def parse_quotas(text: str, source: str) -> Mapping[str, float]:
    """Read ``table=units;table=units``.

    Raises:
        ConfigurationError: Malformed, not above 0, or a table named twice.
    """
    found: dict[str, float] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        table, _, word = (part.strip() for part in entry.partition("="))
        try:
            units = float(word)
        except ValueError:
            units = 0.0
        if not table or not 0 < units < float("inf") or table in found:
            raise ConfigurationError(f"{source}: {entry!r} must be TABLE=UNITS, above 0, once a table")
        found[table] = units
    return found
