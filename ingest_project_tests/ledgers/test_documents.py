"""Documents in SQLite and PostgreSQL: the laws, and what people ask about a collection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from ingest_project.core.documents import COUNTED, Done
from ingest_project.ledgers.database import Database
from ingest_project.ledgers.document_schema import COUNTING
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.laws_documents import BUCKET, DocumentLedgerLaws, listed, settle, stand, take


class TestSqlDocuments(DocumentLedgerLaws):
    @pytest.fixture
    def documents(self, ledger_url: str, clock: FakeClock) -> Iterator[SqlDocumentLedger]:
        ledger = SqlDocumentLedger(ledger_url, clock=clock)
        yield ledger
        ledger.close()


def test_a_ledger_of_version_4_learns_what_is_counted(ledger_url: str) -> None:
    ledger = SqlDocumentLedger(ledger_url)
    ledger.enroll([listed(id) for id in "abc"])
    settle(ledger, take(ledger, found=stand(ledger)[:2]), Done(output="o", facts={COUNTED: "7", "a": '"\0'}))
    counts = ledger.stage_counts(BUCKET.collection, BUCKET.month)
    ledger.close()
    database = Database(ledger_url)
    with database.writing() as connection:
        for index in COUNTING:
            index.drop(connection)
        for column in ("month", "counted"):
            connection.execute(text(f"ALTER TABLE ingest_document_stages DROP COLUMN {column}"))
        connection.execute(text("UPDATE ingest_schema SET version = 4"))
    database.close()
    ledger = SqlDocumentLedger(ledger_url)
    assert (14, counts) == (
        ledger.counted(BUCKET.collection, "texts"),
        ledger.stage_counts(BUCKET.collection, BUCKET.month),
    )
    ledger.close()


def test_a_ledger_of_version_3_gets_the_tables_of_documents(ledger_url: str) -> None:
    SqlDocumentLedger(ledger_url).enroll([])
    database = Database(ledger_url)
    names = ("documents", "document_stages", "extractions", "segments", "vectors")
    with database.writing() as connection:
        for name in names:
            connection.execute(text(f"DROP TABLE ingest_{name}"))
        connection.execute(text("UPDATE ingest_schema SET version = 3"))
    database.close()
    ledger = SqlDocumentLedger(ledger_url)
    ledger.enroll([listed("a")])
    assert (1, {}) == (ledger.size(BUCKET), ledger.vectors.find("model", ["key"]))
    ledger.close()
