"""Sketches of users who asked of late, kept in the process so that their next question reads none of them.

Bounded by bytes and by time. A block is good as long as nobody else wrote for its user; reads nothing itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ingest_project.core.caching import TTL_SECONDS, Forgotten

SHELF_BYTES = 32 << 20
SKETCH_COST, BLOCK_COST = 400, 600
"""Bytes that a sketch takes in the process with its key, and a block without any."""

Key = tuple[str, str]
Sketches = dict[Key, bytes]
"""Chunk and id of an embedding -> its sketch."""


@dataclass(slots=True, kw_only=True)
class Block:
    """Of one user.

    Attributes:
        mark: The user's last write when they were read, or this process's own since.
        sketches: All of them; None: there are too many to be read whole.
    """

    mark: str
    ends: float
    sketches: Sketches | None

    @property
    def size(self) -> int:
        """Bytes."""
        return BLOCK_COST + SKETCH_COST * len(self.sketches or ())


@dataclass(slots=True, kw_only=True)
class Shelf:
    """Blocks by user; holds ``room`` bytes at most, the least recently used go first. For one event loop.

    Attributes:
        ttl: Seconds that a block is kept, whatever was added to it since.
        held: Bytes now, by SKETCH_COST and BLOCK_COST.
    """

    clock: Callable[[], float]
    ttl: float = TTL_SECONDS
    room: int = SHELF_BYTES
    held: int = 0
    _blocks: OrderedDict[str, Block] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._blocks)

    def find(self, user: str, mark: str | None) -> Block | None:
        """The user's block when it is still good at this mark."""
        block = self._blocks.get(user)
        if block is None:
            return None
        if block.mark != mark or block.ends <= self.clock():
            self._drop(user)
            return None
        self._blocks.move_to_end(user)
        return block

    def put(self, user: str, mark: str, sketches: Sketches | None) -> None:
        """Keep what was read behind this mark, unless it is larger than all room."""
        self._drop(user)
        block = Block(mark=mark, ends=self.clock() + self.ttl, sketches=sketches)
        self._blocks[user] = block
        self.held += block.size
        self._make_room()

    def add(self, user: str, sketches: Mapping[Key, bytes]) -> None:
        """Something was just written for the user; one that is no message after all harms nobody."""
        block = self._blocks.get(user)
        if block is None or block.sketches is None:
            return
        before = block.size
        block.sketches |= sketches
        self.held += block.size - before
        self._make_room()

    def follow(self, user: str, forgotten: Forgotten | None) -> None:
        """The user's mark changed by a write of which ``add`` was told: the block is good at the new one."""
        block = self._blocks.get(user)
        if block is None:
            return
        if forgotten is None or block.mark != forgotten.before:
            self._drop(user)
        else:
            block.mark = forgotten.after

    def _make_room(self) -> None:
        while self.held > self.room:
            self._drop(next(iter(self._blocks)))

    def _drop(self, user: str) -> None:
        block = self._blocks.pop(user, None)
        if block is not None:
            self.held -= block.size
