"""Made gazettes as a deployment has them: files in a bucket, rows in PostgreSQL. Writes; reads nothing back.

psycopg comes with the extra ``documents``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any

from ingest_project.sinks.uploads import Upload
from ingest_project.testing.gazette_files import ASSOCIATION, COPY, HTML, PDF, UNSERVED, GazetteFile, Gazettes
from ingest_project.testing.gazette_tables import DDL, PUT_TERRITORY

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from psycopg import Connection

UPLOADS = 8
PAGE = 500
"""Rows that are written at once, when their files are there."""

SAMPLE_MIX = {
    PDF: 12,
    "docx": 3,
    "odt": 3,
    "txt": 2,
    "txt-cp1252": 1,
    COPY: 1,
    ASSOCIATION: 2,
    UNSERVED: 1,
    HTML: 1,
    "zip": 1,
    "broken": 1,
    "scan": 1,
    "empty": 1,
}

_PUT_GAZETTE = """
INSERT INTO gazettes (id, date, edition_number, is_extra_edition, power, file_checksum, file_path, file_url,
    scraped_at, created_at, territory_id, processed)
VALUES (%(id)s, %(date)s, %(edition_number)s, %(is_extra_edition)s, %(power)s, %(file_checksum)s,
    %(file_path)s, %(file_url)s, %(scraped_at)s, %(created_at)s, %(territory_id)s, %(processed)s)
ON CONFLICT DO NOTHING
"""
_NEXT_ID = "SELECT setval(pg_get_serial_sequence('gazettes', 'id'), (SELECT max(id) FROM gazettes))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What was put where.

    Attributes:
        rows: That are new in the table.
        files, bytes: In the bucket.
    """

    rows: int = 0
    files: int = 0
    bytes: int = 0


def sample(start: date = date(2026, 1, 1)) -> Gazettes:
    """Thirty gazettes of every sort, for a first look."""
    return Gazettes(count=30, seed="sample", mix=SAMPLE_MIX, start=start, days=30)


def fill(gazettes: Gazettes, client: S3Client, bucket: str, database: str, *, prefix: str = "") -> Filled:
    """Put gazettes into a bucket and their rows into a database; its tables are made where they are missing.

    Memory: as many files as UPLOADS, 8 MiB of each, and a page of rows. A file is there before its row is.
    What is there already stays, so an interrupted call is made good by the next.

    Args:
        database: URL, ``postgresql://...``.
        prefix: Folder in the bucket; empty or ending with ``/``.
    """
    import psycopg

    rows = files = size = 0
    with psycopg.connect(database, autocommit=True) as connection, ThreadPoolExecutor(UPLOADS) as pool:
        for statement in filter(str.strip, DDL.split(";")):
            connection.execute(statement.encode())
        _insert(connection, PUT_TERRITORY, [asdict(place) for place in gazettes.territories()])
        for some in _pages(iter(gazettes)):
            stored = list(pool.map(lambda made: _put(client, bucket, prefix, made), some))
            rows += _insert(connection, _PUT_GAZETTE, [row for row, _ in stored])
            files += sum(bytes is not None for _, bytes in stored)
            size += sum(bytes or 0 for _, bytes in stored)
        connection.execute(_NEXT_ID.encode())
    return Filled(rows=rows, files=files, bytes=size)


def _put(
    client: S3Client, bucket: str, prefix: str, made: GazetteFile
) -> tuple[dict[str, object], int | None]:
    """Its row, and the bytes of its file; None: it is to have none."""
    if made.kind == "missing":
        return made.row(made.checksum()), None
    with Upload(client, bucket, f"{prefix}{made.path}") as upload:
        for piece in made.pieces():
            upload.write(piece)
        stored = upload.finish()
    return made.row(stored.md5), stored.bytes


def _insert(connection: Connection[Any], statement: str, rows: Sequence[dict[str, Any]]) -> int:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(statement.encode(), rows)
        return cursor.rowcount


def _pages(gazettes: Iterator[GazetteFile]) -> Iterator[list[GazetteFile]]:
    while some := list(islice(gazettes, PAGE)):
        yield some
