"""What the ledger tells is what stands in its tables, read with plain SQL on each database."""

from __future__ import annotations

from ingest_project.core.model import Counts, Position
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.laws_ledger import LEASE, dead_letter, move, take, validate
from ingest_project.testing.samples import sample_chunk
from ingest_project_tests import readback

CHUNK = sample_chunk(records=10)
COUNTS = Counts(sent=6, written=3, superseded=2, unchanged=1, bytes=2**40, requests=7, retries=5, throttles=4)


def test_a_claim_an_advance_and_a_seal_stand_in_one_row(ledger: SqlLedger, ledger_url: str) -> None:
    held = take(ledger, CHUNK, "one", horizon=9)
    row = readback.works(ledger_url)["table", CHUNK.id]
    assert ("claimed", "one", held.epoch, 9) == (row["state"], row["owner"], row["epoch"], row["horizon"])
    ledger.advance(held, Position(6, "token"), COUNTS, (), lease=LEASE)
    row = readback.works(ledger_url)["table", CHUNK.id]
    assert (6, "token") == (row["ordinal"], row["token"])
    assert {name: getattr(COUNTS, name) for name in COUNTS.__slots__} == {
        name: row[name] for name in COUNTS.__slots__
    }
    ledger.seal(held, seconds=1.5)
    row = readback.works(ledger_url)["table", CHUNK.id]
    assert ("sealed", 1.5) == (row["state"], row["seconds"])


def test_dead_letters_stand_byte_for_byte(ledger: SqlLedger, ledger_url: str) -> None:
    move(ledger, take(ledger, CHUNK), 5, rejections=[dead_letter(4), dead_letter(2)])
    rows = readback.rows(ledger_url, "SELECT * FROM ingest_rejections ORDER BY ordinal")
    expected = [(2, 20, "no key", b'{"a":\xff}', 7), (4, 40, "no key", b'{"a":\xff}', 7)]
    found = [
        (row["ordinal"], row["offset"], row["reason"], bytes(row["raw"]), row["raw_bytes"]) for row in rows
    ]
    assert expected == found


def test_a_validated_chunk_has_the_number_that_the_horizon_tells(ledger: SqlLedger, ledger_url: str) -> None:
    validate(ledger, sample_chunk("a"))
    validate(ledger, sample_chunk("b"))
    (row,) = readback.rows(ledger_url, "SELECT * FROM ingest_horizons")
    assert (2, 2) == (row["last"], ledger.horizon("messages", "messages"))
    assert [1, 2] == sorted(found["sequence"] for found in readback.works(ledger_url).values())
