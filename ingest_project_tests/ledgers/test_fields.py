"""The book of fields: the same in memory, SQLite and PostgreSQL; shared by processes, with its history."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.fields import ACCEPT, ASKED, DESCRIBED, EXTENDED, FieldBook, HeldFields, KnownField
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.doubles_time import FakeClock

HDR = "wms.order_hdr"


def named(name: str, *kinds: str, origin: str = "describe") -> KnownField:
    return KnownField(name=name, kinds=kinds or ("text",), origin=origin)


@pytest.fixture
def books(ledger: SqlLedger) -> Sequence[FieldBook]:
    """The model, and the ledger that must do as it does."""
    return HeldFields(), ledger.fields


def test_fields_are_known_by_entity_and_stay_as_they_came_first(books: Sequence[FieldBook]) -> None:
    for book in books:
        book.add(HDR, [named("zip"), named("id", "integer")], event=DESCRIBED)
        book.add(HDR, [named("zip", "integer")], event=EXTENDED)
        book.add("wms.order_dtl", [named("lot")], event=DESCRIBED)
        assert {"zip": named("zip"), "id": named("id", "integer")} == book.known(HDR)
        assert ["zip", "id"] == list(book.known(HDR))
        assert {} == book.known("wms.allocation")


def test_a_change_is_asked_for_once_and_a_decision_is_kept(books: Sequence[FieldBook]) -> None:
    for book in books:
        book.add(HDR, [named("priority", "integer")], event=DESCRIBED)
        for _ in range(2):
            assert ("text",) == book.ask(HDR, "priority", "text", detail='"HIGH"').asked
        after = book.decide(HDR, "priority", ACCEPT, by="ana")
        assert ("text", "integer") == after.kinds
        assert after == book.known(HDR)["priority"]
        told = [(event.event, event.kinds, event.detail) for event in book.history(HDR)]
        assert [
            (DESCRIBED, ("integer",), ""),
            (ASKED, ("text",), '"HIGH"'),
            (ACCEPT, ("text",), "ana"),
        ] == told


def test_a_field_that_nobody_knows_cannot_be_decided_on(books: Sequence[FieldBook]) -> None:
    for book in books:
        with pytest.raises(ConfigurationError, match=r"wms.order_hdr has no field 'lot'"):
            book.decide(HDR, "lot", ACCEPT, by="ana")


def test_history_has_times_and_the_entities_are_listed(ledger: SqlLedger, clock: FakeClock) -> None:
    ledger.fields.add(HDR, [named("zip")], event=DESCRIBED)
    clock.advance(60)
    ledger.fields.add(HDR, [named("lot", origin="sample")], event=EXTENDED, detail='"A1\x00"')
    first, last = ledger.fields.history(HDR)
    assert 60.0 == last.at - first.at
    assert ("lot", EXTENDED, '"A1\\x00"') == (last.name, last.event, last.detail)
    assert [HDR] == ledger.fields.entities()


def test_another_connection_sees_what_was_stored(ledger: SqlLedger, ledger_url: str) -> None:
    ledger.fields.add(HDR, [named("zip")], event=DESCRIBED)
    other = SqlLedger(ledger_url)
    try:
        assert {"zip": named("zip")} == other.fields.known(HDR)
    finally:
        other.close()
