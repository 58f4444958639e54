"""Upkeep by hand: what stands of some chunks, starting them anew, freeing what a dead process held.

Beside the ledger's own verbs and under the same fence: whatever is taken from an owner gets a higher epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, and_, delete, insert, select, update

from ingest_project.core.errors import ChunkBusy
from ingest_project.core.model import Chunk, Counts
from ingest_project.ledgers.database import Database
from ingest_project.ledgers.rejections import OPEN
from ingest_project.ledgers.rows import FRESH, counts_of
from ingest_project.ledgers.schema import rejections, slices, works

_SOME = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one work stands: see core.model.Work for ``identity``, WorkStatus for ``state``."""

    state: str
    identity: str
    fingerprint: str
    counts: Counts


class Upkeep:
    """Verbs for whoever runs loads by hand; each is one transaction for each 500 chunks."""

    def __init__(self, url: str) -> None:
        self._db = Database(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def standings(self, chunks: Collection[str]) -> Mapping[tuple[str, str], Standing]:
        """(chunk id, stage) -> how it stands, for the works that the ledger knows."""
        found: dict[tuple[str, str], Standing] = {}
        for some in _pages(sorted(chunks)):
            with self._db.reading() as connection:
                rows = connection.execute(select(works).where(works.c.chunk.in_(some))).mappings()
                found.update(((row["chunk"], row["stage"]), _standing(row)) for row in rows)
        return found

    def start_anew(self, chunks: Sequence[Chunk], *, now: float, stage: str | None = None) -> None:
        """Forget what was done of these chunks and take their content as it is planned now.

        Args:
            stage: Only there; None is every stage.

        Raises:
            ChunkBusy: Somebody works on one of them.
        """
        for some in _pages(chunks):
            ids = [chunk.id for chunk in some]
            with self._db.writing() as connection:
                meant, letters = _of(works, ids, stage), _of(rejections, ids, stage)
                held = and_(meant, works.c.state == "claimed", works.c.leased_until > now)
                holder = connection.execute(select(works).where(held).limit(1)).mappings().first()
                if holder is not None:
                    raise ChunkBusy(f"{holder['uri']} is being loaded by {holder['owner']}")
                # What a replay took stays settled: the replay is a chunk of its own.
                connection.execute(delete(rejections).where(letters, rejections.c.state == OPEN))
                for chunk in some:
                    anew = {**FRESH, **_FREED, "epoch": works.c.epoch + 1, "updated": now}
                    anew |= {"fingerprint": chunk.fingerprint, "records": chunk.records}
                    connection.execute(update(works).where(meant, works.c.chunk == chunk.id).values(anew))

    def adopt(self, chunks: Sequence[Chunk], stage: str, *, into: str, now: float) -> None:
        """What was done of these chunks as ``stage`` counts as done as ``into``, in place of what was there.

        Chunks that ``stage`` does not know are left as they are.

        Raises:
            ChunkBusy: Somebody works on one of them.
        """
        for some in _pages(chunks):
            ids = [chunk.id for chunk in some]
            with self._db.writing() as connection:
                both = and_(works.c.chunk.in_(ids), works.c.stage.in_((stage, into)))
                rows = [dict(row) for row in connection.execute(select(works).where(both)).mappings()]
                for row in rows:
                    if row["state"] == "claimed" and row["leased_until"] > now:
                        raise ChunkBusy(f"{row['uri']} is being loaded by {row['owner']}")
                epochs = {row["chunk"]: row["epoch"] for row in rows if row["stage"] == into}
                moved = [row for row in rows if row["stage"] == stage]
                known = [row["chunk"] for row in moved]
                connection.execute(delete(rejections).where(_of(rejections, known, into)))
                connection.execute(delete(works).where(_of(works, known, into)))
                for row in moved:
                    epoch = row["epoch"] + epochs.get(row["chunk"], 0) + 1
                    connection.execute(insert(works).values({**row, "stage": into, "epoch": epoch}))
                letters = _of(rejections, known, stage)
                connection.execute(update(rejections).where(letters).values(stage=into))
                connection.execute(delete(works).where(_of(works, known, stage)))

    def forget(self, stage: str) -> None:
        """Forget everything that was done as this stage."""
        with self._db.writing() as connection:
            connection.execute(delete(rejections).where(rejections.c.stage == stage))
            connection.execute(delete(works).where(works.c.stage == stage))

    def release_dead(self, entity: str, is_dead: Callable[[str], bool], *, now: float) -> int:
        """Free what owners that are no more held, without waiting for their leases; returns how many."""
        held = {
            works: and_(works.c.entity == entity, works.c.state == "claimed"),
            slices: and_(slices.c.entity == entity, slices.c.state == "open", slices.c.owner != ""),
        }
        with self._db.writing() as connection:
            return sum(_release(connection, table, mine, is_dead, now) for table, mine in held.items())


def _release(
    connection: Connection,
    table: Table,
    held: ColumnElement[bool],
    is_dead: Callable[[str], bool],
    now: float,
) -> int:
    owners = connection.execute(select(table.c.owner).where(held).distinct()).scalars()
    dead = [owner for owner in owners if is_dead(owner)]
    if not dead:
        return 0
    freed = {**_FREED, "epoch": table.c.epoch + 1, "updated": now, "reason": "its process ended"}
    return connection.execute(update(table).where(held, table.c.owner.in_(dead)).values(freed)).rowcount


_FREED = {"state": "open", "owner": "", "leased_until": 0.0}


def _of(table: Table, chunks: Sequence[str], stage: str | None) -> ColumnElement[bool]:
    named = table.c.chunk.in_(chunks)
    return named if stage is None else and_(named, table.c.stage == stage)


def _pages(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[at : at + _SOME] for at in range(0, len(values), _SOME))


def _standing(row: RowMapping) -> Standing:
    return Standing(
        state=row["state"],
        identity=row["identity"],
        fingerprint=row["fingerprint"],
        counts=counts_of(row),
    )
