"""KnownIds: which ids of an entity have landed and were not found deleted, as bitmaps with counts.

Some 4 KiB for 32768 ids, so a billion ids take 125 MB. Written by the landing transaction only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, select, update

from ingest_project.ledgers.database import Database
from ingest_project.ledgers.schema import known_ids

BLOCK = 1 << 15
BLOCKS_PER_STATEMENT = 500


class KnownIds:
    """Reads what is known; ranges are ``low <= id < high``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def count(self, entity: str, low: int, high: int) -> int:
        """How many ids of the range are known."""
        table = known_ids.c
        first, last = low // BLOCK, (high - 1) // BLOCK
        whole = select(func.sum(table.count)).where(
            table.entity == entity, table.block > first, table.block < last
        )
        with self._db.reading() as connection:
            between = int(connection.execute(whole).scalar() or 0)
            ends = _bits(connection, entity, sorted({first, last}))
        return between + sum(_within(block, bits, low, high).bit_count() for block, bits in ends)

    def ids(self, entity: str, low: int, high: int) -> list[int]:
        """The known ids of the range, ascending; for ranges of some thousand ids."""
        blocks = range(low // BLOCK, (high - 1) // BLOCK + 1)
        mine = and_(known_ids.c.block >= blocks.start, known_ids.c.block < blocks.stop)
        with self._db.reading() as connection:
            found = _selected(connection, entity, mine)
        return [one for block, bits in found for one in _ids(block, _within(block, bits, low, high))]

    def nth(self, entity: str, low: int, place: int) -> int | None:
        """The known id before which ``place`` known ones of at least ``low`` stand; None behind the last."""
        table = known_ids.c
        left = place + self.count(entity, low // BLOCK * BLOCK, low) if low % BLOCK else place
        query = select(table.block, table.count).where(table.entity == entity, table.block >= low // BLOCK)
        with self._db.reading() as connection:
            for block, count in connection.execute(query.order_by(table.block)):
                if left < count:
                    return _nth(block, _bits(connection, entity, [block])[0][1], left)
                left -= count
        return None

    def top(self, entity: str) -> int | None:
        """The greatest known id."""
        mine = select(func.max(known_ids.c.block)).where(known_ids.c.entity == entity, known_ids.c.count > 0)
        with self._db.reading() as connection:
            block = connection.execute(mine).scalar()
            if block is None:
                return None
            (_, bits), *_ = _bits(connection, entity, [int(block)])
        return int(block) * BLOCK + bits.bit_length() - 1


def note(
    connection: Connection, insert_new: Any, entity: str, ids: Collection[int], gone: Collection[int]
) -> None:
    """Within a transaction: these ids are known from now on, those are not any more."""
    added, removed = _masks(ids), _masks(gone)
    blocks = sorted({*added, *removed})
    for at in range(0, len(blocks), BLOCKS_PER_STATEMENT):
        some = blocks[at : at + BLOCKS_PER_STATEMENT]
        fresh = [{"entity": entity, "block": block, "count": 0, "bits": b""} for block in some]
        connection.execute(insert_new(known_ids), fresh)
        changed = []
        for block, bits in _bits(connection, entity, some, lock=True):
            after = (bits | added.get(block, 0)) & ~removed.get(block, 0)
            if after != bits:
                changed.append({"at": block, "count": after.bit_count(), "bits": _stored(after)})
        if changed:
            mine = and_(known_ids.c.entity == entity, known_ids.c.block == bindparam("at"))
            connection.execute(update(known_ids).where(mine), changed)


def _masks(ids: Collection[int]) -> dict[int, int]:
    """Block -> bits of these ids."""
    found: dict[int, bytearray] = {}
    for one in ids:
        bits = found.get(one // BLOCK)
        if bits is None:
            bits = found[one // BLOCK] = bytearray(BLOCK // 8)
        place = one % BLOCK
        bits[place >> 3] |= 1 << (place & 7)
    return {block: int.from_bytes(bits, "little") for block, bits in found.items()}


def _bits(
    connection: Connection, entity: str, blocks: Sequence[int], *, lock: bool = False
) -> list[tuple[int, int]]:
    return _selected(connection, entity, known_ids.c.block.in_(blocks), lock=lock)


def _selected(
    connection: Connection, entity: str, mine: ColumnElement[bool], *, lock: bool = False
) -> list[tuple[int, int]]:
    """(block, bits), in one order everywhere: two that lock the same rows then wait instead of dying."""
    table = known_ids.c
    query = select(table.block, table.bits).where(table.entity == entity, mine).order_by(table.block)
    rows = connection.execute(query.with_for_update() if lock else query)
    return [(int(block), int.from_bytes(bytes(bits), "little")) for block, bits in rows]


def _stored(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def _within(block: int, bits: int, low: int, high: int) -> int:
    """Those bits that stand for ids of the range."""
    start = max(0, low - block * BLOCK)
    end = min(BLOCK, high - block * BLOCK)
    if end <= start:
        return 0
    return bits >> start << start & ((1 << end) - 1)


def _ids(block: int, bits: int) -> Iterator[int]:
    for place, byte in enumerate(_stored(bits)):
        while byte:
            low = byte & -byte
            yield block * BLOCK + place * 8 + low.bit_length() - 1
            byte ^= low


def _nth(block: int, bits: int, place: int) -> int:
    """The id at a place among those of a block, by halving."""
    low, high = 0, BLOCK
    while high - low > 1:
        middle = (low + high) // 2
        below = (bits >> low & ((1 << middle - low) - 1)).bit_count()
        if place < below:
            high = middle
        else:
            low, place = middle, place - below
    return block * BLOCK + low
