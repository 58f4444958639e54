"""The simulated warehouse: entities, a virtual clock, and transactions that become visible when they commit.

Changes come by hand or from wms_churn. Deterministic: the same seed and the same calls give the same rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from ingest_project.testing.wms_fields import ENTITIES, Field, fields_of, renamed_kind
from ingest_project.testing.wms_ids import FirstRows, Shape
from ingest_project.testing.wms_rows import Renderer, changeable
from ingest_project.testing.wms_stamps import SECOND, Stamps
from ingest_project.testing.wms_table import HIGHEST, LOWEST, Row, Table

START = 1_767_225_600 * SECOND
"""When the virtual clock begins: 2026-01-01T00:00:00Z."""

PARENTS = {"order_dtl": "order_hdr", "allocation": "order_dtl"}
_FIRST = {"allocation": 90_000_000, "order_hdr": 10_000_000, "order_dtl": 30_000_000}
BLOCK = 20
"""Ids that an app server takes from the sequence at a time, and gives out while others give out theirs."""

INSERT, UPDATE, DELETE = "insert", "update", "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transaction: these rows get one mod_ts and become visible together.

    Attributes:
        modified: mod_ts that the app server's clock gave; 0 for a deletion.
    """

    entity: str
    kind: str
    ids: tuple[int, ...]
    modified: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One entity: its rows, what they consist of now, and which rows an open transaction holds."""

    name: str
    table: Table
    fields: list[Field]
    since: dict[str, int] = field(default_factory=dict)
    locked: set[int] = field(default_factory=set)
    renderers: dict[str, Renderer] = field(default_factory=dict)


class Life(Protocol):
    """What changes a world by itself."""

    def until(self, world: World, moment: int) -> int | None:
        """Make the next change at or before `moment`; when it was, or None."""


class World:
    """All entities under one virtual clock, in microseconds since 1970.

    Args:
        rows: Rows an entity begins with: one number for all, or one for each.
        seed: Everything that looks like chance depends on it.
        skew: Seconds that the clock of each app server is ahead; as many servers as numbers.
        companies, facilities: Codes; each row has one of each.
        offset, summer: Minutes, as Stamps takes them.
        ties: So many rows in a row (of mod_ts) have one mod_ts from the beginning.
        backwards: An app server whose clock is behind gives a row an older mod_ts than it had. Without it no
            row's mod_ts ever decreases.
    """

    def __init__(
        self,
        *,
        rows: int | Mapping[str, int] = 1000,
        seed: int = 0,
        skew: Sequence[float] = (0.0,),
        companies: Sequence[str] = ("DEMO",),
        facilities: Sequence[str] = ("MAIN",),
        offset: int = -180,
        summer: int = 0,
        ties: int = 3000,
        backwards: bool = False,
    ) -> None:
        self.seed, self.now, self.stamps = seed, START, Stamps(offset, summer)
        self.companies, self.facilities = tuple(companies), tuple(facilities)
        self.skew, self.backwards = tuple(round(one * SECOND) for one in skew), backwards
        self.life: Life | None = None
        counts = {name: rows if isinstance(rows, int) else rows.get(name, 0) for name in ENTITIES}
        self.entities: dict[str, Entity] = {}
        for name in ENTITIES:
            shape = Shape(rows=counts[name], first=_FIRST[name], end=START, ties=ties)
            table = Table(FirstRows(shape, seed))
            self.entities[name] = Entity(name=name, table=table, fields=list(fields_of(name)))
        self._pending: list[tuple[int, int, Change]] = []
        self._numbers = count()
        self._sequence = {name: found.table.first.beyond for name, found in self.entities.items()}
        self._blocks: dict[tuple[str, int], Iterator[int]] = {}

    def __getitem__(self, entity: str) -> Entity:
        return self.entities[entity]

    @property
    def pending(self) -> int:
        """Transactions that are open."""
        return len(self._pending)

    def clock(self, server: int = 0) -> int:
        """What an app server's clock shows."""
        return self.now + self.skew[server % len(self.skew)]

    def advance(self, seconds: float) -> None:
        """Let so much virtual time pass: changes happen and transactions commit in their order."""
        self.advance_to(self.now + round(seconds * SECOND))

    def advance_to(self, moment: int) -> None:
        """The same up to a moment; one that has passed already does nothing."""
        while True:
            due = min(moment, self._pending[0][0]) if self._pending else moment
            happened = self.life.until(self, due) if self.life is not None else None
            if happened is None:
                if not self._pending or self._pending[0][0] > moment:
                    break
                self.now = max(self.now, due)
                self._commit(heapq.heappop(self._pending)[2])
        self.now = max(self.now, moment)

    def settle(self) -> None:
        """No change happens by itself any more, and all open transactions commit."""
        self.life = None
        while self._pending:
            self.advance_to(self._pending[0][0])

    def insert(self, entity: str, rows: int = 1, *, server: int = 0, late: float = 0.0) -> tuple[int, ...]:
        """New rows in one transaction that commits `late` seconds from now; their ids."""
        ids = tuple(self._next_id(entity, server) for _ in range(rows))
        self._begin(Change(entity=entity, kind=INSERT, ids=ids, modified=self.clock(server)), late)
        return ids

    def update(
        self, entity: str, ids: Iterable[int], *, server: int = 0, late: float = 0.0
    ) -> tuple[int, ...]:
        """Change these rows in one transaction, with one mod_ts; those that exist and no other holds."""
        held = self._free(entity, ids)
        modified = self.clock(server)
        if not self.backwards:
            table = self[entity].table
            last = max((found.modified for row in held if (found := table.get(row))), default=LOWEST)
            modified = max(modified, last + 1)
        self._begin(Change(entity=entity, kind=UPDATE, ids=held, modified=modified), late)
        return held

    def delete(self, entity: str, ids: Iterable[int], *, late: float = 0.0) -> tuple[int, ...]:
        """Delete these rows in one transaction; those that exist and no other holds."""
        held = self._free(entity, ids)
        self._begin(Change(entity=entity, kind=DELETE, ids=held), late)
        return held

    def add_field(self, entity: str, name: str, kind: str) -> None:
        """A field that rows modified from now on have, and all others as null."""
        found = self[entity]
        if any(known.name == name for known in found.fields):
            raise ValueError(f"{entity} has a field {name!r} already")
        found.fields.append(renamed_kind(Field(name=name, kind=kind), kind))
        found.since[name] = self.now + min(self.skew)
        found.renderers.clear()

    def change_type(self, entity: str, name: str, kind: str) -> None:
        """From now on a field has another type, in all rows."""
        found = self[entity]
        old = changeable(entity, found.fields, name)
        found.fields[found.fields.index(old)] = renamed_kind(old, kind)
        found.renderers.clear()

    def remove_field(self, entity: str, name: str) -> None:
        """From now on no row has it."""
        found = self[entity]
        found.fields.remove(changeable(entity, found.fields, name))
        found.since.pop(name, None)
        found.renderers.clear()

    def truth(self, entity: str) -> Iterator[Row]:
        """The rows that exist now, ids ascending."""
        return self[entity].table.by_id(LOWEST, HIGHEST, down=False)

    def truth_bytes(self, entity: str, base: str) -> Iterator[bytes]:
        """The same as they stand in answers under `base`."""
        renderer = self.renderer(entity, base)
        return (renderer.row(*row) for row in self.truth(entity))

    def renderer(self, entity: str, base: str) -> Renderer:
        """What makes rows of an entity under this address (``.../v10/entity``)."""
        found = self[entity]
        known = found.renderers.get(base)
        if known is None:
            parent = PARENTS.get(entity, "")
            known = found.renderers[base] = Renderer(
                entity,
                base,
                fields=found.fields,
                since=found.since,
                seed=self.seed,
                stamps=self.stamps,
                first=found.table.first,
                parents=self[parent].table.first if parent else None,
                places=(self.companies, self.facilities),
            )
        return known

    def _begin(self, change: Change, late: float) -> None:
        if not change.ids:
            return
        if late <= 0:
            self._commit(change)
            return
        self[change.entity].locked.update(change.ids)
        heapq.heappush(self._pending, (self.now + round(late * SECOND), next(self._numbers), change))

    def _commit(self, change: Change) -> None:
        found = self[change.entity]
        found.locked.difference_update(change.ids)
        for row in change.ids:
            if change.kind == DELETE:
                found.table.remove(row)
                continue
            before = found.table.get(row)
            version, created = (before.version + 1, before.created) if before else (1, change.modified)
            found.table.put(Row(row, version, change.modified, created))

    def _free(self, entity: str, ids: Iterable[int]) -> tuple[int, ...]:
        found = self[entity]
        return tuple(row for row in ids if row not in found.locked and found.table.get(row) is not None)

    def _next_id(self, entity: str, server: int) -> int:
        block = self._blocks.get((entity, server))
        row = next(block, None) if block is not None else None
        if row is None:
            begin = self._sequence[entity]
            self._sequence[entity] = begin + BLOCK
            block = self._blocks[entity, server] = iter(range(begin, begin + BLOCK))
            row = next(block)
        return row
