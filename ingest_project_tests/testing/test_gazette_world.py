"""Made gazettes lie in a real bucket and a real database as their truth says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ingest_project.local.postgresql import database
from ingest_project.testing.gazette_files import KINDS, MIX, Gazettes
from ingest_project.testing.gazette_world import SAMPLE_MIX, Filled, fill, sample
from ingest_project.testing.running import RunningServer

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

COLUMNS = "id, file_path, file_checksum, territory_id, processed"
PUT = (
    "INSERT INTO gazettes (date, file_checksum, file_path, territory_id) VALUES (now(), 'c', 'p', '2700102')"
)


@pytest.fixture
def s3_server(seaweedfs: RunningServer) -> RunningServer:
    """The real one alone: what is tested here is no server's dialect."""
    return seaweedfs


@pytest.fixture
def tables(postgresql: RunningServer) -> Iterator[str]:
    with database(postgresql.url) as url:
        yield url


def rows_of(url: str, words: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(words.encode()).fetchall()


@pytest.fixture
def filled(s3: S3Client, bucket: str, tables: str) -> Filled:
    return fill(sample(), s3, bucket, tables, prefix="files/")


def test_each_row_tells_of_its_file(filled: Filled, s3: S3Client, bucket: str, tables: str) -> None:
    assert (filled.rows, filled.files) == (30, 30)
    rows = rows_of(tables, f"SELECT {COLUMNS} FROM gazettes ORDER BY id")
    for made, (id, path, checksum, territory, processed) in zip(sample(), rows, strict=True):
        content = s3.get_object(Bucket=bucket, Key=f"files/{path}")["Body"].read()
        assert (id, path, territory, processed) == (made.id, made.path, made.territory.id, False)
        assert hashlib.md5(content).hexdigest() == checksum
        assert content == made.content()


def test_again_changes_nothing_and_new_rows_get_new_ids(
    filled: Filled, s3: S3Client, bucket: str, tables: str
) -> None:
    assert fill(sample(), s3, bucket, tables, prefix="files/").rows == 0
    with psycopg.connect(tables) as connection:
        connection.execute(PUT.encode())
    assert rows_of(tables, "SELECT max(id) FROM gazettes") == [(31,)]


def test_a_missing_file_has_a_row_and_an_altered_one_another_checksum(
    s3: S3Client, bucket: str, tables: str
) -> None:
    made = Gazettes(count=4, mix={"missing": 1, "altered": 1, "pdf": 1}, large={3: 9 << 20})
    filled = fill(made, s3, bucket, tables)
    assert (filled.rows, filled.files) == (4, 3)
    kinds = {one.id: one for one in made}
    for id, path, checksum in rows_of(tables, "SELECT id, file_path, file_checksum FROM gazettes"):
        there = s3.list_objects_v2(Bucket=bucket, Prefix=path).get("Contents", [])
        assert len(there) == (kinds[id].kind != "missing")
        assert (checksum == kinds[id].checksum()) == (kinds[id].kind != "altered")


def test_the_sample_shows_every_sort_of_trouble_but_files_that_are_not_the_rows() -> None:
    kinds = {made.kind for made in sample()}
    assert kinds == SAMPLE_MIX.keys() == MIX.keys() - {"missing", "altered", "image"}
    assert sum(SAMPLE_MIX.values()) == 30
    assert {made.cause for made in sample()} == {
        "",
        *(KINDS[kind].cause for kind in ("unserved", "html", "broken", "scan", "empty")),
    }
