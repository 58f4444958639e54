"""The in-memory ledger of documents obeys the laws that the real one is held to."""

from __future__ import annotations

import pytest

from ingest_project.testing.doubles_documents import InMemoryDocumentLedger
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.laws_documents import DocumentLedgerLaws


class TestInMemoryDocuments(DocumentLedgerLaws):
    @pytest.fixture
    def documents(self, clock: FakeClock) -> InMemoryDocumentLedger:
        return InMemoryDocumentLedger(clock)
