"""GAZETTES: the collection as assets and commands use it: how it is listed, opened and aggregated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from ingest_project.core.bucket_standing import standing
from ingest_project.core.document_ledger import Enrolled
from ingest_project.entities.gazettes.aggregates import Aggregates, AggregatesReport
from ingest_project.entities.gazettes.losses import lost
from ingest_project.entities.gazettes.register import ALL, DAILY, UNPROCESSED, GazetteRegister
from ingest_project.entities.gazettes.spec import COLLECTION, PROCESSED
from ingest_project.entities.gazettes.workshop import Workshop, register_of
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import Settings
from ingest_project.resources.documents.collection import Collection, Listing, Log
from ingest_project.resources.documents.desk import Desk
from ingest_project.resources.documents.export import StageExport
from ingest_project.resources.documents.hands import RunnerSettings
from ingest_project.resources.postgresql import Postgres
from ingest_project.sinks.uploads import Upload

LOG_EVERY = 10_000
"""Rows of a listing between two lines of log."""


def open_desk(settings: Settings) -> Desk:
    """The collection in this process."""
    access, ledger = settings.gazettes, SqlDocumentLedger(settings.ledger_url)
    workshop = Workshop(settings=settings, ledger=ledger)
    return Desk(
        COLLECTION,
        ledger,
        workshop.open,
        settings=RunnerSettings(at_once=access.workers, bytes=access.memory),
        retry=workshop.retry,
        export=StageExport(settings.home / "metrics", COLLECTION.name),
    )


def enroll(settings: Settings, mode: str, log: Log) -> Listing:
    """Read the database's rows into the ledger. What somebody took the flag from is flagged once more."""
    begun, rows, told, found = time.monotonic(), 0, 0, Enrolled()
    with _opened(settings) as (ledger, register):
        for page in register.listed(mode, datetime.now(UTC)):
            found += ledger.enroll(page.documents)
            ledger.reopen(COLLECTION.name, PROCESSED, page.unprocessed)
            rows += len(page.documents)
            if rows - told >= LOG_EVERY:
                told = rows
                log(f"listed {rows:,} rows")
    return Listing(mode=mode, rows=rows, enrolled=found, seconds=time.monotonic() - begun)


def unknown(settings: Settings) -> int:
    """Rows whose flag is not set and that the ledger has never heard of."""
    with _opened(settings) as (ledger, register):
        found = standing(ledger.states(COLLECTION.name))
        return max(0, register.count_open() - found.open - found.failed)


def aggregate(settings: Settings, year: int, *, again: bool = False) -> AggregatesReport:
    """Bring the files of a year up to date."""
    settings.require_write("postgresql", settings.gazettes.database[1])
    client, place = s3_client(settings), settings.gazettes.store
    with _opened(settings) as (ledger, register):
        texts = Workshop(settings=settings, ledger=ledger).texts()

        def opened(key: str) -> Upload:
            return Upload(client, place.bucket, place.prefix + key)

        aggregates = Aggregates(
            ledger,
            ledger.segments,
            register,
            texts.read,
            opened,
            collection=COLLECTION.name,
            numbers=COLLECTION.numbers,
        )
        return aggregates.build(year, again=again)


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[SqlDocumentLedger, GazetteRegister]]:
    access = settings.gazettes
    access.require()
    ledger = SqlDocumentLedger(settings.ledger_url)
    postgres = Postgres(access.database_url, most=access.pool_size)
    try:
        yield ledger, register_of(settings, postgres)
    finally:
        postgres.close()
        ledger.close()


def _require(settings: Settings) -> None:
    settings.gazettes.require()


GAZETTES = Collection(
    spec=COLLECTION,
    modes=(DAILY, ALL, UNPROCESSED),
    require=_require,
    open=open_desk,
    enroll=enroll,
    unknown=unknown,
    lost=lost,
)
