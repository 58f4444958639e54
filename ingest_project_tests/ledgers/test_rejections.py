"""Dead letters: kept whole or cut with their length, found by any trait, counted by reason."""

from __future__ import annotations

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import Rejection
from ingest_project.ledgers.rejections import RAW_LIMIT, Selection
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.laws_ledger import dead_letter, move, take
from ingest_project.testing.samples import sample_chunk

A, B = sample_chunk("a"), sample_chunk("b", date="2026-01-02", target="other")


@pytest.fixture
def filled(ledger: SqlLedger) -> SqlLedger:
    """Seven dead letters of two files, two stages, two reasons."""
    held = take(ledger, A, stage="validated", identity="parts")
    move(ledger, held, 10, written=6, rejections=[dead_letter(n) for n in range(4)])
    held = take(ledger, B, stage="validated", identity="parts")
    move(ledger, held, 10, written=8, rejections=[dead_letter(2, "id: 50% is no string"), dead_letter(5)])
    move(ledger, take(ledger, B), 8, written=7, rejections=[dead_letter(7, "too large")])
    return ledger


def test_dead_letters_are_found_by_any_trait(filled: SqlLedger) -> None:
    letters = filled.dead_letters
    counts = {
        "all": letters.count(),
        "entity": letters.count(Selection(entity="messages")),
        "nobody": letters.count(Selection(entity="wms")),
        "date": letters.count(Selection(date="2026-01-02")),
        "target": letters.count(Selection(target="messages")),
        "uri": letters.count(Selection(uri=B.range.uri)),
        "stage": letters.count(Selection(stage="table")),
        "chunk": letters.count(Selection(chunk_id=A.id, stage="validated")),
        "reason": letters.count(Selection(reason="no key")),
        "percent": letters.count(Selection(reason="50% is")),
        "wildcard": letters.count(Selection(reason="5_%")),
    }
    expected = {"all": 7, "entity": 7, "nobody": 0, "date": 3, "target": 4, "uri": 3, "stage": 1, "chunk": 4}
    assert expected | {"reason": 5, "percent": 1, "wildcard": 0} == counts


def test_dead_letters_are_counted_for_some_chunks(filled: SqlLedger) -> None:
    assert filled.dead_letters.by_chunk(Selection(stage="validated")) == {A.id: 4, B.id: 2}
    assert filled.count_rejections("messages", "validated", "2026-01-01", {A.id, B.id}) == 4
    assert filled.count_rejections("messages", "validated", "2026-01-02", {A.id}) == 0


def test_a_dead_letter_is_shown_by_its_id(filled: SqlLedger) -> None:
    (letter,) = filled.dead_letters.list(Selection(stage="table"))
    assert f"{B.id}:table:7" == letter.id
    assert letter == filled.dead_letters.get(letter.id)
    seen = (letter.entity, letter.date, letter.target, letter.uri, letter.ordinal, letter.offset, letter.key)
    assert seen == ("messages", "2026-01-02", "other", "file:///in/b.json", 7, 70, "k")
    assert (letter.reason, letter.raw, letter.raw_bytes) == ("too large", b'{"a":\xff}', 7)
    assert dead_letter(7, "too large") == letter.rejection
    assert filled.dead_letters.get(f"{B.id}:table:8") is None


@pytest.mark.parametrize("text", ["", "x", "a:b", "a:b:c", "a::1", ":b:1"])
def test_what_is_no_id_is_refused(ledger: SqlLedger, text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected chunk:stage:ordinal"):
        ledger.dead_letters.get(text)


def test_pages_go_through_all_once(filled: SqlLedger) -> None:
    whole = list(filled.dead_letters.list())
    assert whole == list(filled.dead_letters.each(size=2))
    assert whole[3:5] == list(filled.dead_letters.list(limit=2, after=whole[2].id))
    assert len({letter.id for letter in whole}) == 7


def test_reasons_are_counted_the_most_frequent_first(filled: SqlLedger) -> None:
    reasons = filled.dead_letters.reasons()
    assert reasons == [("no key", 5), ("id: 50% is no string", 1), ("too large", 1)]
    assert filled.dead_letters.reasons(limit=1) == [("no key", 5)]


def test_a_large_record_is_cut_and_its_length_kept(ledger: SqlLedger) -> None:
    raw = b"x" * (RAW_LIMIT + 5)
    huge = Rejection(ordinal=0, offset=-1, reason="too large", raw=raw)
    exact = Rejection(ordinal=1, offset=9, reason="too large", raw=raw[:RAW_LIMIT])
    move(ledger, take(ledger, A), 2, written=0, rejections=[huge, exact])
    first, second = ledger.dead_letters.list()
    assert (first.raw, first.raw_bytes, first.cut) == (raw[:RAW_LIMIT], RAW_LIMIT + 5, True)
    assert (second.raw_bytes, second.cut) == (RAW_LIMIT, False)


def test_a_record_may_come_as_a_view(ledger: SqlLedger) -> None:
    view: bytes = memoryview(b"abc")[1:]  # bytes-like, as RecordBatch allows
    move(
        ledger,
        take(ledger, A),
        1,
        written=0,
        rejections=[Rejection(ordinal=0, offset=1, reason="r", raw=view)],
    )
    assert [letter.raw for letter in ledger.dead_letters.list()] == [b"bc"]


def test_thousands_in_one_step_are_stored(ledger: SqlLedger) -> None:
    letters = [dead_letter(number) for number in range(5001)]
    move(ledger, take(ledger, A), 5001, written=0, rejections=letters)
    assert ledger.dead_letters.count() == 5001
    assert letters == list(ledger.rejections(A, "table"))
