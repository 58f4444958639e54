"""LedgerFields: the fields of entities whose sources describe themselves, shared by all runs and processes.

What may become of a field is core.fields' word; here is where it is kept, with its history.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from ingest_project.core.fields import ASKED, FieldEvent, KnownField, known_or_raise
from ingest_project.ledgers.database import Database, clean
from ingest_project.ledgers.schema import field_events, fields

MOST_DETAIL = 500
_LISTS = ("kinds", "asked", "aside", "refused")


class LedgerFields:
    """core.fields.FieldBook over SQLAlchemy."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._db, self._clock = database, clock

    def known(self, entity: str) -> Mapping[str, KnownField]:
        """See core.fields.FieldBook."""
        with self._db.reading() as connection:
            return self._known(connection, entity)

    def add(self, entity: str, fields: Iterable[KnownField], *, event: str, detail: str = "") -> None:
        """See core.fields.FieldBook."""
        with self._db.writing() as connection:
            known = self._known(connection, entity)
            new = [field for field in fields if field.name not in known]
            for place, field in enumerate(new, len(known)):
                self._insert(connection, entity, field, place, event, detail)

    def ask(self, entity: str, name: str, kind: str, *, detail: str) -> KnownField:
        """See core.fields.FieldBook."""
        with self._db.writing() as connection:
            field = known_or_raise(self._known(connection, entity, name), entity, name)
            after = field.met(kind)
            if after != field:
                self._change(connection, entity, after, ASKED, (kind,), detail)
            return after

    def decide(self, entity: str, name: str, choice: str, *, by: str) -> KnownField:
        """See core.fields.FieldBook."""
        with self._db.writing() as connection:
            field = known_or_raise(self._known(connection, entity, name), entity, name)
            after = field.decided(choice)
            self._change(connection, entity, after, choice, field.waiting, by)
            return after

    def history(self, entity: str) -> Sequence[FieldEvent]:
        """See core.fields.FieldBook."""
        query = select(field_events).where(field_events.c.entity == entity).order_by(field_events.c.number)
        with self._db.reading() as connection:
            return [_event(row) for row in connection.execute(query).mappings()]

    def entities(self) -> Sequence[str]:
        """Those with fields, sorted."""
        with self._db.reading() as connection:
            return list(
                connection.execute(select(fields.c.entity).distinct().order_by(fields.c.entity)).scalars()
            )

    def _known(self, connection: Connection, entity: str, name: str | None = None) -> dict[str, KnownField]:
        query = select(fields).where(fields.c.entity == entity).order_by(fields.c.place, fields.c.name)
        if name is not None:
            query = query.where(fields.c.name == clean(name)).with_for_update()
        return {row["name"]: _field(row) for row in connection.execute(query).mappings()}

    def _insert(
        self, connection: Connection, entity: str, field: KnownField, place: int, event: str, detail: str
    ) -> None:
        values = {"entity": entity, "name": clean(field.name), "place": place, "origin": field.origin}
        added = connection.execute(self._db.insert_new(fields).values(values | _lists(field)))
        if added.rowcount:
            self._tell(connection, entity, field.name, event, field.kinds, detail)

    def _change(
        self,
        connection: Connection,
        entity: str,
        field: KnownField,
        event: str,
        kinds: tuple[str, ...],
        detail: str,
    ) -> None:
        mine = (fields.c.entity == entity) & (fields.c.name == clean(field.name))
        connection.execute(update(fields).where(mine).values(_lists(field)))
        self._tell(connection, entity, field.name, event, kinds, detail)

    def _tell(
        self,
        connection: Connection,
        entity: str,
        name: str,
        event: str,
        kinds: tuple[str, ...],
        detail: str,
    ) -> None:
        values = {"entity": entity, "name": clean(name), "event": event, "kinds": " ".join(kinds)}
        more = {"detail": clean(detail)[:MOST_DETAIL], "at": self._clock()}
        connection.execute(insert(field_events).values(values | more))


def _lists(field: KnownField) -> dict[str, str]:
    return {name: " ".join(getattr(field, name)) for name in _LISTS}


def _field(row: RowMapping) -> KnownField:
    lists: dict[str, Any] = {name: tuple(row[name].split()) for name in _LISTS}
    return KnownField(name=row["name"], origin=row["origin"], **lists)


def _event(row: RowMapping) -> FieldEvent:
    return FieldEvent(
        name=row["name"],
        event=row["event"],
        kinds=tuple(row["kinds"].split()),
        detail=row["detail"],
        at=row["at"],
    )
