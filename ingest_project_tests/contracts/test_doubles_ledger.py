"""The in-memory ledger and part store obey the laws that the real ones are held to."""

from __future__ import annotations

import pytest

from ingest_project.testing.doubles import FakeClock, InMemoryLedger, InMemoryPartStore
from ingest_project.testing.laws import HorizonLaws, LedgerLaws, PartStoreLaws


class InMemory:
    @pytest.fixture
    def ledger(self, clock: FakeClock) -> InMemoryLedger:
        return InMemoryLedger(clock)


class TestInMemoryLedger(InMemory, LedgerLaws):
    pass


class TestInMemoryHorizon(InMemory, HorizonLaws):
    pass


class TestInMemoryPartStore(PartStoreLaws):
    @pytest.fixture
    def store(self) -> InMemoryPartStore:
        return InMemoryPartStore()
