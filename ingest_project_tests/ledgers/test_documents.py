"""Documents in SQLite and PostgreSQL: the laws, and what people ask about a collection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.laws_documents import DocumentLedgerLaws


@pytest.fixture
def documents(ledger_url: str, clock: FakeClock) -> Iterator[SqlDocumentLedger]:
    ledger = SqlDocumentLedger(ledger_url, clock=clock)
    yield ledger
    ledger.close()


class TestSqlDocuments(DocumentLedgerLaws):
    @pytest.fixture
    def documents(self, ledger_url: str, clock: FakeClock) -> Iterator[SqlDocumentLedger]:
        ledger = SqlDocumentLedger(ledger_url, clock=clock)
        yield ledger
        ledger.close()
