"""A warehouse at work: inserts, updates, deletions and batch jobs over virtual time, deterministic by seed.

Says what happens when; the world does it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from ingest_project.testing.wms_fields import ENTITIES
from ingest_project.testing.wms_stamps import SECOND
from ingest_project.testing.wms_world import DELETE, INSERT, UPDATE, World

_TRIES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What happens in one entity, a virtual second on average.

    Attributes:
        inserts, updates, deletes: Transactions of one row.
        batch: Rows that a batch job changes in one transaction, all with one mod_ts.
        batch_every: Seconds between two batch jobs; 0: there are none.
        hot: Share of the updates that go to rows changed before or new.
        late: Share of the transactions that commit later than they took their mod_ts ...
        late_most: ... by up to so many seconds.
    """

    inserts: float = 0.0
    updates: float = 0.0
    deletes: float = 0.0
    batch: int = 0
    batch_every: float = 0.0
    hot: float = 0.3
    late: float = 0.0
    late_most: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """A field that begins, ends or changes its type at a moment.

    Attributes:
        after: Virtual seconds from the world's beginning.
        kind: Type that it has from then on; empty: it is not there any more.
        new: It was not there before.
    """

    after: float
    entity: str
    name: str
    kind: str
    new: bool = False


@dataclass(slots=True)
class _Line:
    """One kind of event in one entity: when the next is due."""

    entity: str
    kind: str
    mean: float
    due: int = 0
    rows: int = 1


class Churn:
    """wms_world.Life.

    Args:
        habits: Entity -> what happens in it; one for all otherwise.
        changes: What becomes of the fields.
    """

    def __init__(
        self,
        seed: int,
        habits: Habit | Mapping[str, Habit],
        *,
        begin: int,
        changes: tuple[SchemaChange, ...] = (),
    ) -> None:
        self._dice = random.Random(f"{seed}/churn")
        each = {name: habits if isinstance(habits, Habit) else habits.get(name, Habit()) for name in ENTITIES}
        self._habits: Mapping[str, Habit] = each
        self._lines = [line for name, habit in each.items() for line in _lines(name, habit)]
        self._hot: dict[str, list[int]] = {name: [] for name in ENTITIES}
        for line in self._lines:
            self._plan(line, begin)
        self._changes = sorted(changes, key=lambda change: change.after)
        self._begin = begin
        self.done = dict.fromkeys((INSERT, UPDATE, DELETE), 0)

    def until(self, world: World, moment: int) -> int | None:
        """wms_world.Life."""
        line = min(self._lines, key=_due, default=None)
        schema = self._begin + round(self._changes[0].after * SECOND) if self._changes else None
        if schema is not None and schema <= moment and (line is None or schema <= line.due):
            world.now = max(world.now, schema)
            _apply(world, self._changes.pop(0))
            return schema
        if line is None or line.due > moment:
            return None
        world.now = max(world.now, line.due)
        happened = line.due
        self._happen(world, line)
        self._plan(line, happened)
        return happened

    def _plan(self, line: _Line, now: int) -> None:
        wait = line.mean if line.rows > 1 else self._dice.expovariate(1 / line.mean)
        line.due = now + max(round(wait * SECOND), 1)

    def _happen(self, world: World, line: _Line) -> None:
        habit, dice = self._habits[line.entity], self._dice
        late = dice.random() * habit.late_most if dice.random() < habit.late else 0.0
        server = dice.randrange(len(world.skew))
        hot = self._hot[line.entity]
        if line.kind == INSERT:
            ids = world.insert(line.entity, server=server, late=late)
        else:
            wanted = [self._pick(world, line.entity, habit.hot) for _ in range(line.rows)]
            chosen = dict.fromkeys(row for row in wanted if row is not None)
            if line.kind == UPDATE:
                ids = world.update(line.entity, chosen, server=server, late=late)
            else:
                ids = world.delete(line.entity, chosen, late=late)
        self.done[line.kind] += len(ids)
        if line.kind != DELETE and line.rows == 1:
            hot.extend(ids)
            del hot[:-1000]

    def _pick(self, world: World, entity: str, share: float) -> int | None:
        """A row that exists and is free, by chance."""
        found, dice, hot = world[entity], self._dice, self._hot[entity]
        first = found.table.first
        for _ in range(_TRIES):
            if hot and (dice.random() < share or not first.rows):
                row = dice.choice(hot)
            elif first.rows:
                row = first.id_at(dice.randrange(first.rows))
            else:
                return None
            if row not in found.locked and found.table.get(row) is not None:
                return row
        return None


def _lines(name: str, habit: Habit) -> list[_Line]:
    rates = ((INSERT, habit.inserts), (UPDATE, habit.updates), (DELETE, habit.deletes))
    lines = [_Line(name, kind, 1 / rate) for kind, rate in rates if rate > 0]
    if habit.batch_every > 0 and habit.batch > 0:
        lines.append(_Line(name, UPDATE, habit.batch_every, rows=max(habit.batch, 2)))
    return lines


def _due(line: _Line) -> int:
    return line.due


def _apply(world: World, change: SchemaChange) -> None:
    if change.new:
        world.add_field(change.entity, change.name, change.kind)
    elif change.kind:
        world.change_type(change.entity, change.name, change.kind)
    else:
        world.remove_field(change.entity, change.name)
