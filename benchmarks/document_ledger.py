"""``python -m benchmarks.document_ledger [URL] [--documents N]``: a ledger of a million documents is asked.

The rows are made by the database itself: 64 buckets of 4 months, the seven stages of gazettes with one theme,
one in twenty parked. Prints one JSON object: milliseconds of each question, by the wall and of this process
alone, medians of some rounds taken in turn. Without a URL: an SQLite file. A ledger that has its rows already
is asked as it is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from sqlalchemy import create_engine, text

from ingest_project.core.document_ledger import Settlement
from ingest_project.core.documents import Bucket, Done
from ingest_project.ledgers.database import Database
from ingest_project.ledgers.documents import SqlDocumentLedger

_COUNTED = "1 + n % 40 / 39 * (n % 30)"
_WRITTEN = f"'{{\"documents\":\"' || CAST({_COUNTED} AS TEXT) || '\"}}'"
_PLACE = """'{"bytes":"12345","uri":"s3://store/2704302/a.txt"}'"""
STAGES = {
    "downloaded": """'{"bytes":"12345","type":"pdf"}'""",
    "texts": _PLACE,
    "segments": _PLACE,
    "indexed": _WRITTEN,
    "excerpts/theme": _WRITTEN,
    "ranked/theme": "'{}'",
    "processed": "'{}'",
}
"""Name -> facts of its marks, in SQL. One gazette in forty falls into segments."""

BUCKET = Bucket(collection="gazettes", month="2026-02", number=7)
BEFORE = ("texts", "segments")
ROUNDS = 5

_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) "
_ID = "substr(CAST(100000000 + n AS TEXT), 2)"
_MONTH = "'2026-0' || CAST(1 + n % 4 AS TEXT)"
_FIELDS = (
    '{"date":"2026-02-03","file_path":"2704302/2026-02-03/0123456789abcdef0123456789abcdef01234567.pdf",'
)
_FIELDS += '"file_checksum":"0123456789abcdef0123456789abcdef01234567","power":"executive","state_code":"AL",'
_FIELDS += '"territory_id":"2704302","territory_name":"Maceio","edition_number":"1234"}'

_DOCUMENTS = f"""
INSERT INTO ingest_documents (collection, id, month, number, "group", state, fields, listed, changed)
{_NUMBERS}
SELECT 'gazettes', {_ID}, {_MONTH}, n / 4 % 16,
       CAST(2700000 + n % 300 AS TEXT),
       CASE WHEN n % 20 = 0 THEN 'failed' WHEN n % 20 = 1 THEN 'pending' ELSE 'completed' END,
       :fields, 0, 0
FROM numbers
"""

_STAGES = f"""
INSERT INTO ingest_document_stages
    (collection, id, stage, fingerprint, output, facts, parked, cause, kind, "group", epoch, month, counted)
{_NUMBERS}
SELECT 'gazettes', {_ID}, CAST(:stage AS TEXT),
       CASE WHEN n % 20 = 0 AND :stage = 'texts' THEN '' ELSE '0123456789abcdef0123456789abcdef' END,
       '0123456789abcdef0123456789abcdef', {{facts}},
       CASE WHEN n % 20 = 0 AND :stage = 'texts' THEN '0123456789abcdef' ELSE '' END,
       CASE WHEN n % 20 = 0 AND :stage = 'texts' THEN 'cause ' || CAST(n % 7 AS TEXT) ELSE '' END,
       '', CAST(2700000 + n % 300 AS TEXT), 1, {_MONTH},
       CASE WHEN n % 20 = 0 AND :stage = 'texts' THEN -1 ELSE {{counted}} END
FROM numbers
WHERE n % 20 <> 0 OR :stage IN ('downloaded', 'texts')
"""


def fill(url: str, count: int) -> None:
    """Make the rows."""
    database = Database(url)
    with database.writing() as connection:
        made = text(_DOCUMENTS.format(count=count))
        connection.execute(made, {"fields": _FIELDS})
    for stage, facts in STAGES.items():
        with database.writing() as connection:
            # A colon in a literal is no parameter.
            counted = _COUNTED if facts == _WRITTEN else "0"
            made = text(_STAGES.format(count=count, facts=facts.replace(":", "\\:"), counted=counted))
            connection.execute(made, {"stage": stage})
    database.close()
    # What a database does by itself after so many rows.
    with create_engine(database.url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM" if connection.dialect.name == "postgresql" else "SELECT 1"))
        connection.execute(text("ANALYZE"))


def questions(ledger: SqlDocumentLedger) -> Mapping[str, Callable[[], object]]:
    """What runs, checks and pages of the UI ask."""
    return {
        "a page of a bucket with its marks, 1000 documents": lambda: ledger.page(BUCKET, "indexed", BEFORE),
        "all pages of a bucket": lambda: walk(ledger),
        "size of a bucket": lambda: ledger.size(BUCKET),
        "stages of a month": lambda: ledger.stage_counts("gazettes", BUCKET.month),
        "documents that an index was given": lambda: ledger.counted("gazettes", "indexed"),
        "documents by bucket and state": lambda: ledger.states("gazettes"),
        "parked by cause and territory": lambda: ledger.parked_counts("gazettes"),
        "100 of the parked": lambda: ledger.parked("gazettes", stage="texts"),
        "100 of one cause": lambda: ledger.parked("gazettes", causes=["cause 3"]),
        "1000 listed again, unchanged": lambda: ledger.enroll(
            [one.document for one in ledger.page(BUCKET, "indexed", ())]
        ),
        "100 claimed and settled": lambda: work(ledger),
    }


def walk(ledger: SqlDocumentLedger) -> int:
    """Read all of a bucket."""
    after, count = "", 0
    while page := ledger.page(BUCKET, "indexed", BEFORE, after=after):
        after, count = page[-1].document.id, count + len(page)
    return count


def work(ledger: SqlDocumentLedger) -> None:
    """What a stage does to the ledger for a batch."""
    found = ledger.page(BUCKET, "indexed", BEFORE, limit=100)
    claims = ledger.claim("indexed", found, owner="bench", lease=60.0, state="indexing")
    done = Done(output="0123456789abcdef0123456789abcdef")
    ledger.settle([Settlement(claim=claim, fingerprint="f", outcome=done) for claim in claims])


def measure(url: str, count: int) -> Mapping[str, object]:
    """Fill a ledger and ask."""
    begun, ledger = time.perf_counter(), SqlDocumentLedger(url)
    if not ledger.states("gazettes"):
        fill(url, count)
    filled = time.perf_counter() - begun
    asked = questions(ledger)
    seconds: dict[str, list[tuple[float, float]]] = {what: [] for what in asked}
    for _ in range(ROUNDS):
        for what, ask in asked.items():
            begun, worked = time.perf_counter(), time.process_time()
            ask()
            seconds[what].append((time.perf_counter() - begun, time.process_time() - worked))
    ledger.close()
    found = {
        what: [round(median(each) * 1000, 1) for each in zip(*some, strict=True)]
        for what, some in seconds.items()
    }
    return {"documents": count, "seconds to fill": round(filled, 1), "milliseconds": found}


def main() -> None:
    parser = argparse.ArgumentParser(prog="document_ledger")
    parser.add_argument("url", nargs="?")
    parser.add_argument("--documents", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{Path(folder) / 'ledger.db'}"
        print(json.dumps(measure(url, asked.documents), indent=2))


if __name__ == "__main__":
    main()
