"""How much at once: batch limits, the batcher over item blocks and the memory budget. Never sends, never
sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from itertools import accumulate
from threading import Lock
from typing import cast

from ingest_project.core.errors import CountLost
from ingest_project.core.model import Batch, ItemBlock, Rejection

MOST_REJECTIONS_IN_A_CUT = 256
_BODIES = {bytes}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What one request may hold: at most ``count`` items and ``bytes`` bytes; one larger item goes alone.

    Attributes:
        overhead: Bytes that each item adds to the request beside its body (a comma, a line break).
        unit: Bytes of one unit of the target's quota; 0: each item is one.
    """

    count: int
    bytes: int
    overhead: int = 1
    unit: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or self.bytes < 1 or self.overhead < 0 or self.unit < 0:
            raise ValueError(f"a request must hold at least one item and one byte: {self}")

    def cost(self, bodies: Sequence[Sized]) -> int:
        """Units of the target's quota that these bodies take: whole ones an item."""
        unit = self.unit
        if not unit:
            return len(bodies)
        return sum(map(len, bodies)) if unit == 1 else sum(-(-len(body) // unit) for body in bodies)


@dataclass(slots=True, kw_only=True, eq=False)
class Cut:
    """A stretch [first, end) of a chunk's items: what of it is sent as one batch and what is not sent at all.

    Cuts tile the chunk, so that an account over whole cuts is exact at every cut's end. The outcome fields
    are filled by the loader.

    Attributes:
        token: Of the block that holds item ``end - 1``.
        batch: What to send; ``None`` when nothing of the stretch is.
        hashes: Key hash of each batch item, or empty when keys are unique.
        superseded: Items that are not sent because a later one replaces them.
        rejections: Items that cannot be sent.
    """

    first: int
    end: int
    token: str
    batch: Batch | None
    hashes: Sequence[bytes] = ()
    superseded: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    written: int = 0
    unchanged: int = 0
    done: bool = False


class Batcher:
    """Cuts item blocks into batches: pushes blocks in, takes cuts out; a batch may span blocks.

    Two items with one key never share a batch: the later one stays, the earlier one counts as superseded.

    Args:
        limits: Of one request.
        start: Ordinal of the first item that is wanted; earlier ones of the first block are passed over.
    """

    def __init__(self, limits: BatchLimits, start: int = 0) -> None:
        self._limits = limits
        self._items: dict[bytes | int, tuple[int, bytes]] = {}
        self._cost = 0
        self._hashed = False
        self._superseded = 0
        self._rejections: list[Rejection] = []
        self._first = self._next = start
        self._token = ""

    def feed(self, block: ItemBlock) -> Iterator[Cut]:
        """Cuts that are complete with this block.

        Raises:
            CountLost: The block does not go on where the last one ended.
        """
        start = self._next - block.first
        if start < 0:
            raise CountLost(f"the stream jumps from item {self._next} to {block.first}")
        if block.hashes or self._hashed:
            yield from self._keyed(block, start)
        else:
            yield from self._unique(block, start)
        if not self._items and self._next > self._first:
            yield self._flush()

    def finish(self) -> Iterator[Cut]:
        """What is left when the stream has ended."""
        if self._next > self._first:
            yield self._flush()

    def _unique(self, block: ItemBlock, at: int) -> Iterator[Cut]:
        """A whole batch in one slice wherever nothing is pending and nothing but bodies comes; otherwise as
        many bodies at once as the pending batch has room for."""
        entries, base, total, count = block.entries, block.first, len(block.entries), self._limits.count
        while at < total:
            bodies = entries[at : at + count - len(self._items)]
            if not (block.plain or set(map(type, bodies)) == _BODIES):
                bodies = ()
            bodies = cast(Sequence[bytes], bodies)
            size = sum(map(len, bodies))
            if len(bodies) == count and self._next == self._first:
                if size > self._limits.bytes - count * self._limits.overhead:
                    bodies = self._fitting(bodies)
                    size = sum(map(len, bodies))
                first, at = base + at, at + len(bodies)
                self._first = self._next = base + at
                self._token = block.token
                batch = Batch(bodies=bodies, ordinals=range(first, base + at), size=size)
                yield Cut(first=first, end=base + at, token=block.token, batch=batch)
                continue
            cost = size + len(bodies) * self._limits.overhead
            if bodies and self._cost + cost <= self._limits.bytes:
                cut = self._fill(bodies, base + at, cost, block.token)
                at += len(bodies)
            else:
                cut = self._add(entries[at], base + at, None, block.token)
                at += 1
            if cut is not None:
                yield cut

    def _fill(self, bodies: Sequence[bytes], first: int, cost: int, token: str) -> Cut | None:
        """Bodies that the pending batch has room for."""
        ordinals = range(first, first + len(bodies))
        self._items.update(zip(ordinals, zip(ordinals, bodies, strict=True), strict=True))
        self._cost += cost
        self._next, self._token = ordinals.stop, token
        return self._flush() if len(self._items) == self._limits.count else None

    def _fitting(self, bodies: Sequence[bytes]) -> Sequence[bytes]:
        """The longest run of bodies from the first on that one request holds; at least one."""
        overhead, most = self._limits.overhead, self._limits.bytes
        sums = accumulate(len(body) + overhead for body in bodies)
        return bodies[: max(1, sum(1 for cost in sums if cost <= most))]

    def _keyed(self, block: ItemBlock, start: int) -> Iterator[Cut]:
        entries, hashes, first, token = block.entries, block.hashes, block.first, block.token
        self._hashed = True
        for at in range(start, len(entries)):
            cut = self._add(entries[at], first + at, hashes[at] if hashes else None, token)
            if cut is not None:
                yield cut

    def _add(
        self, entry: bytes | Rejection | None, ordinal: int, key: bytes | None, token: str
    ) -> Cut | None:
        """At most one cut is complete: one that this item does not fit into, or one that it fills."""
        cut = None
        if entry is None:
            self._superseded += 1
        elif isinstance(entry, Rejection):
            self._rejections.append(entry)
        else:
            cost = len(entry) + self._limits.overhead
            self._supersede(key)
            if self._items and self._cost + cost > self._limits.bytes:
                cut = self._flush()
            self._items[ordinal if key is None else key] = (ordinal, entry)
            self._cost += cost
        self._next, self._token = ordinal + 1, token
        if len(self._items) == self._limits.count or len(self._rejections) >= MOST_REJECTIONS_IN_A_CUT:
            return self._flush()
        return cut

    def _supersede(self, key: bytes | None) -> None:
        older = self._items.pop(key, None) if key is not None else None
        if older is not None:
            self._superseded += 1
            self._cost -= len(older[1]) + self._limits.overhead

    def _flush(self) -> Cut:
        batch = None
        if self._items:
            ordinals, bodies = zip(*self._items.values(), strict=True)
            size = self._cost - len(bodies) * self._limits.overhead
            batch = Batch(bodies=bodies, ordinals=ordinals, size=size)
        cut = Cut(
            first=self._first,
            end=self._next,
            token=self._token,
            batch=batch,
            hashes=tuple(key for key in self._items if isinstance(key, bytes)),
            superseded=self._superseded,
            rejections=self._rejections,
        )
        self._items, self._cost = {}, 0
        self._superseded, self._rejections, self._first = 0, [], self._next
        return cut


def batched(blocks: Iterable[ItemBlock], limits: BatchLimits, start: int = 0) -> Iterator[Cut]:
    """All cuts of a stream of blocks, in order."""
    batcher = Batcher(limits, start)
    for block in blocks:
        yield from batcher.feed(block)
    yield from batcher.finish()


class MemoryBudget:
    """Bytes that loads of this process may hold in flight together.

    Held bytes <= ``limit * share()`` + one batch for each load: a load that holds nothing may always take one
    batch, so that none waits for ever.

    Args:
        limit: Bytes of batch bodies.
        share: How much of the limit counts now (core.pressure).
    """

    def __init__(self, limit: int, *, share: Callable[[], float] = lambda: 1.0) -> None:
        self._limit, self._share = limit, share
        self._held = self._peak = 0
        self._lock = Lock()

    @property
    def held(self) -> int:
        return self._held

    @property
    def peak(self) -> int:
        """Most bytes that were ever held."""
        return self._peak

    def take(self, size: int, *, alone: bool) -> bool:
        """Hold ``size`` bytes if they fit, or in any case when the caller holds nothing (``alone``)."""
        with self._lock:
            if not alone and self._held + size > self._limit * self._share():
                return False
            self._held += size
            self._peak = max(self._peak, self._held)
            return True

    def give(self, size: int) -> None:
        with self._lock:
            self._held -= size
