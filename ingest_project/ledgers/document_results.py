"""Results that stages keep in the ledger: texts that were extracted before, and the parts of documents."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import Connection, and_, delete, insert, select, update

from ingest_project.core.document_ledger import Extraction, Segment, Segmentation
from ingest_project.ledgers.database import Database, clean
from ingest_project.ledgers.document_rows import packed, unpacked
from ingest_project.ledgers.document_schema import extractions, segments
from ingest_project.ledgers.document_statements import lock, pages


class SqlExtractions:
    """core.document_ledger.Extractions.

    Args:
        clock: Wall clock seconds, told with each extraction.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._db, self._clock = database, clock

    def find(self, extractor: str, contents: Sequence[str]) -> Mapping[str, Extraction]:
        """See core.document_ledger.Extractions."""
        table, found = extractions.c, dict[str, Extraction]()
        for some in pages(sorted(set(contents))):
            mine = and_(table.extractor == clean(extractor), table.content.in_(some))
            with self._db.reading() as connection:
                for row in connection.execute(select(extractions).where(mine)).mappings():
                    found[row["content"]] = Extraction(
                        content=row["content"],
                        extractor=extractor,
                        output=row["output"],
                        facts=unpacked(row["facts"]),
                    )
        return found

    def keep(self, made: Sequence[Extraction]) -> None:
        """See core.document_ledger.Extractions."""
        now = self._clock()
        with self._db.writing() as connection:
            for one in sorted(made, key=lambda one: (one.content, one.extractor)):
                row = {"output": one.output, "facts": packed(one.facts), "made": now}
                key = {"content": one.content, "extractor": clean(one.extractor)}
                connection.execute(self._db.insert_new(extractions), [key | row])
                mine = and_(*(extractions.c[name] == value for name, value in key.items()))
                connection.execute(update(extractions).where(mine).values(row))


class SqlSegments:
    """core.document_ledger.Segments."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def replace(self, collection: str, parts: Mapping[str, Sequence[Segment]]) -> None:
        """See core.document_ledger.Segments."""
        with self._db.writing() as connection:
            lock(connection, collection, list(parts))
            for document, now in sorted(parts.items()):
                self._replace(connection, collection, document, now)

    def find(self, collection: str, ids: Sequence[str]) -> Mapping[str, Segmentation]:
        """See core.document_ledger.Segments."""
        table, there, gone = segments.c, dict[str, list[Segment]](), dict[str, list[str]]()
        for some in pages(sorted(set(ids))):
            mine = and_(table.collection == collection, table.document.in_(some))
            query = select(segments).where(mine).order_by(table.document, table.place, table.id)
            with self._db.reading() as connection:
                for row in connection.execute(query).mappings():
                    if row["gone"]:
                        gone.setdefault(row["document"], []).append(row["id"])
                    else:
                        one = Segment(id=row["id"], fields=unpacked(row["fields"]))
                        there.setdefault(row["document"], []).append(one)
        return {
            id: Segmentation(segments=tuple(there.get(id, ())), gone=tuple(gone.get(id, ())))
            for id in there.keys() | gone.keys()
        }

    def forget(self, collection: str, gone: Mapping[str, Collection[str]]) -> None:
        """See core.document_ledger.Segments."""
        table = segments.c
        with self._db.writing() as connection:
            lock(connection, collection, list(gone))
            for document, ids in sorted(gone.items()):
                mine = and_(table.collection == collection, table.document == document, table.gone == 1)
                connection.execute(delete(segments).where(mine, table.id.in_(list(ids))))

    def _replace(
        self, connection: Connection, collection: str, document: str, parts: Sequence[Segment]
    ) -> None:
        table = segments.c
        mine = and_(table.collection == collection, table.document == document)
        connection.execute(update(segments).where(mine).values(gone=1))
        again = [one.id for one in parts]
        connection.execute(delete(segments).where(mine, table.id.in_(again)))
        shared = {"collection": collection, "document": document, "gone": 0}
        rows = [
            {**shared, "id": one.id, "place": place, "fields": packed(one.fields)}
            for place, one in enumerate(parts)
        ]
        if rows:
            connection.execute(insert(segments), rows)
