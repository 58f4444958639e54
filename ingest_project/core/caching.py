"""Answers kept for a while, by the owner whose writes end their truth. Bounded by count and by bytes.

The port and its form in this process; Redis is elsewhere. Nothing here knows what an answer means.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

TTL_SECONDS, SETTLE_SECONDS = 300.0, 2.0
COUNT, BYTES = 20_000, 64 << 20
ENTRY_BYTES = 200
"""What an entry costs beside its key and value."""

_SLOTS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was found of one owner's keys.

    Attributes:
        stamp: To be handed to ``keep``; None: the owner wrote just now, and what is read may lack it.
        mark: The owner's last write, whenever that was; None: the store does not answer.
    """

    values: Mapping[str, bytes]
    stamp: str | None
    mark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """The owner's mark before a write was told, and behind it: where the one before is what somebody has,
    nobody else wrote in between."""

    before: str
    after: str


class AnswerCache(Protocol):
    """Where answers are kept."""

    async def find(self, owner: str, keys: Sequence[str]) -> Looked:
        """Values that are still true, before anything is read anew."""
        ...

    async def keep(self, owner: str, stamp: str | None, values: Mapping[str, bytes]) -> None:
        """Keep what was read behind the ``find`` that gave the stamp; left out when the owner wrote since."""
        ...

    async def forget(self, owner: str) -> Forgotten | None:
        """The owner has written: nothing of theirs is true any more. None: it could not be said."""
        ...


@dataclass(slots=True, kw_only=True)
class CacheCounts:
    """Since the process began.

    Attributes:
        evicted: Dropped for room; ``failed``: calls that the store did not answer.
    """

    hits: int = 0
    misses: int = 0
    evicted: int = 0
    failed: int = 0

    @property
    def rate(self) -> float | None:
        """Share of keys that were found; None: none was asked for."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None

    def note(self, asked: int, found: int) -> None:
        self.hits, self.misses = self.hits + found, self.misses + asked - found


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """How much is kept, and for how long.

    Attributes:
        settle: Seconds behind a write in which nothing is kept: an index shows it a little later.
        bytes: Of keys and values, ``ENTRY_BYTES`` an entry included. One larger value is not kept.
    """

    ttl: float = TTL_SECONDS
    settle: float = SETTLE_SECONDS
    count: int = COUNT
    bytes: int = BYTES


@dataclass(slots=True)
class _Slot:
    """Owners of one hash share it: that of a stranger's write costs a miss and never an error."""

    writes: int = 0
    last: float = float("-inf")


@dataclass(slots=True, kw_only=True)
class MemoryCache:
    """In this process: at most ``count`` entries and ``bytes``, the least recently used go first.

    Holds ``bytes`` + 4096 slots, however many owners there were. For one event loop.

    Attributes:
        held: Bytes now, counted as CacheSettings says.
    """

    clock: Callable[[], float]
    settings: CacheSettings = field(default_factory=CacheSettings)
    counts: CacheCounts = field(default_factory=CacheCounts)
    held: int = 0
    _entries: OrderedDict[tuple[str, str], tuple[float, bytes]] = field(default_factory=OrderedDict)
    _owned: dict[str, set[str]] = field(default_factory=dict)
    _slots: dict[int, _Slot] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._entries)

    async def find(self, owner: str, keys: Sequence[str]) -> Looked:
        """See AnswerCache."""
        now, found = self.clock(), dict[str, bytes]()
        for key in keys:
            entry = self._entries.get((owner, key))
            if entry is None:
                continue
            if entry[0] <= now:
                self._drop(owner, key)
                continue
            self._entries.move_to_end((owner, key))
            found[key] = entry[1]
        self.counts.note(len(keys), len(found))
        slot = self._slot(owner)
        settled = now - slot.last >= self.settings.settle
        mark = str(slot.writes)
        return Looked(values=found, stamp=mark if settled else None, mark=mark)

    async def keep(self, owner: str, stamp: str | None, values: Mapping[str, bytes]) -> None:
        """See AnswerCache."""
        if stamp is None or stamp != str(self._slot(owner).writes):
            return
        for key, value in values.items():
            self._drop(owner, key)
            if _size(owner, key, value) > self.settings.bytes:
                continue
            self._entries[owner, key] = (self.clock() + self.settings.ttl, value)
            self._owned.setdefault(owner, set()).add(key)
            self.held += _size(owner, key, value)
        while len(self._entries) > self.settings.count or self.held > self.settings.bytes:
            self._drop(*next(iter(self._entries)))
            self.counts.evicted += 1

    async def forget(self, owner: str) -> Forgotten:
        """See AnswerCache."""
        slot = self._slot(owner)
        slot.writes, slot.last = slot.writes + 1, self.clock()
        for key in [*self._owned.get(owner, ())]:
            self._drop(owner, key)
        return Forgotten(before=str(slot.writes - 1), after=str(slot.writes))

    def _slot(self, owner: str) -> _Slot:
        return self._slots.setdefault(zlib.crc32(owner.encode()) % _SLOTS, _Slot())

    def _drop(self, owner: str, key: str) -> None:
        entry = self._entries.pop((owner, key), None)
        if entry is not None:
            self.held -= _size(owner, key, entry[1])
            self._owned[owner].discard(key)
            if not self._owned[owner]:
                del self._owned[owner]


def _size(owner: str, key: str, value: bytes) -> int:
    return len(owner) + len(key) + len(value) + ENTRY_BYTES
