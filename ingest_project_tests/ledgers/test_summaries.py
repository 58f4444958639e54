"""The account of a file as users see it."""

from __future__ import annotations

from ingest_project.core.model import Counts, Fault
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.summaries import REASONS
from ingest_project.testing.laws_ledger import dead_letter, move, take
from ingest_project.testing.samples import sample_chunk


def test_a_file_is_summed_up_over_its_chunks_and_stages(ledger: SqlLedger) -> None:
    one, two = sample_chunk("a"), sample_chunk("a", start=1000, end=2000, fault=Fault(offset=1, expected="x"))
    for chunk in (one, two):
        held = take(ledger, chunk, stage="validated", identity="parts")
        move(ledger, held, 10, written=8, rejections=[dead_letter(1), dead_letter(2, "rare")])
        if chunk is one:
            ledger.seal(held, seconds=1.0)
        else:
            ledger.fail(held, "broken at byte 1", seconds=0.5)
    loaded = take(ledger, one)
    ledger.advance(loaded, loaded.position, Counts(sent=8, written=7, superseded=1), (), lease=30.0)
    ledger.seal(loaded, seconds=2.0)
    take(ledger, sample_chunk("b"))

    first, second = ledger.summary("messages", "2026-01-01")
    assert (first.uri, first.target, first.chunks, first.read, first.rejected) == (
        "file:///in/a.json",
        "messages",
        2,
        20,
        4,
    )
    validated, table = first.stages["validated"], first.stages["table"]
    assert (validated.chunks, validated.sealed, validated.failed, validated.records) == (2, 1, 1, 20)
    assert Counts(sent=20, written=16, rejected=4) == validated.counts
    assert (table.counts.written, table.counts.superseded, table.seconds) == (7, 1, 2.0)
    assert list(first.reasons.items()) == [("no key", 2), ("rare", 2)]
    assert (list(first.failures), first.seconds) == (["broken at byte 1"], 3.5)
    assert (second.uri, second.read, dict(second.reasons)) == ("file:///in/b.json", 0, {})


def test_reasons_beyond_the_most_frequent_are_summed(ledger: SqlLedger) -> None:
    letters = [dead_letter(number, f"reason {number:03d}") for number in range(REASONS + 7)]
    move(ledger, take(ledger, sample_chunk()), 100, written=0, rejections=letters)
    (summary,) = ledger.summary()
    assert len(summary.reasons) == REASONS + 1
    assert summary.reasons["other"] == 7


def test_a_summary_keeps_to_its_selection(ledger: SqlLedger) -> None:
    for chunk in (sample_chunk(), sample_chunk(date="2026-01-02"), sample_chunk(entity="wms")):
        take(ledger, chunk)
    keys = [(summary.entity, summary.date) for summary in ledger.summary()]
    assert keys == [("messages", "2026-01-01"), ("messages", "2026-01-02"), ("wms", "2026-01-01")]
    assert len(ledger.summary("messages")) == 2
    assert ledger.summary("messages", "2026-01-03") == []
