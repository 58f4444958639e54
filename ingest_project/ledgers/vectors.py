"""LedgerVectors: vectors of texts, beside the account of the documents that they are of. Makes none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from ingest_project.ledgers.database import Database
from ingest_project.ledgers.document_schema import vectors


class LedgerVectors:
    """core.encoding.VectorStore over SQLAlchemy, for any number of threads, processes and hosts."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(self, model: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """See core.encoding.VectorStore."""
        table = vectors.c
        query = select(table.text_key, table.vector).where(table.model == model, table.text_key.in_(keys))
        with self._db.reading() as connection:
            return {key: bytes(vector) for key, vector in connection.execute(query)}

    def keep(self, model: str, vectors_by_key: Mapping[str, bytes]) -> None:
        """See core.encoding.VectorStore."""
        rows = [
            {"model": model, "text_key": key, "vector": vector}
            for key, vector in sorted(vectors_by_key.items())
        ]
        if rows:
            with self._db.writing() as connection:
                connection.execute(self._db.insert_new(vectors), rows)
