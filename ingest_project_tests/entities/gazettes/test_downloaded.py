"""Stage ``downloaded``: each file is seen once and whole, and what is wrong with it is named."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingest_project.core.documents import Delayed, Done, Outcome, Parked
from ingest_project.core.errors import TargetMissing
from ingest_project.entities.gazettes.downloaded import Downloaded
from ingest_project.sinks.s3 import BucketObjects
from ingest_project.testing.document_files import noise
from ingest_project_tests.entities.gazettes.archive import Archive
from ingest_project_tests.entities.gazettes.hostile import real, swollen_docx

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    yield made
    made.ledger.close()


def parked(outcome: Outcome) -> tuple[str, str]:
    assert isinstance(outcome, Parked)
    return outcome.cause, outcome.kind


@pytest.mark.parametrize("piece", [1000, 1 << 20])
@pytest.mark.parametrize("kind", ["pdf", "doc", "docx", "odt", "txt"])
def test_a_file_is_told_by_its_content_whole_or_in_pieces(archive: Archive, kind: str, piece: int) -> None:
    data = real(kind)
    found = archive.looked_at(archive.add(data, path=f"1/2026-01-01/{kind}.none"), piece=piece)
    assert isinstance(found, Done)
    assert hashlib.sha256(data).hexdigest() == found.output
    assert (str(len(data)), kind) == (found.facts["bytes"], found.facts["type"])


def test_an_archive_tells_how_far_it_grows(archive: Archive) -> None:
    found = archive.looked_at(archive.add(swollen_docx(1 << 20)))
    assert isinstance(found, Done)
    assert int(found.facts["expanded"]) > 1 << 20


def test_what_is_no_file_to_work_on_is_parked_with_its_cause(archive: Archive) -> None:
    assert ("missing file", "") == parked(archive.looked_at(archive.add(None)))
    assert ("empty file", "empty") == parked(archive.looked_at(archive.add(b"")))
    assert ("too large", "") == parked(archive.looked_at(archive.add(b"x" * 3000), most=2500, piece=1000))


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
def test_the_checksum_of_the_row_is_compared_whichever_it_is(archive: Archive, name: str) -> None:
    good, bad = (hashlib.new(name, data).hexdigest() for data in (b"a text", b"another"))
    assert isinstance(archive.looked_at(archive.add(b"a text", checksum=good.upper())), Done)
    outcome = archive.looked_at(archive.add(b"a text", checksum=bad))
    assert ("wrong checksum", "txt") == parked(outcome)
    assert isinstance(outcome, Parked)
    assert good in outcome.detail
    assert bad in outcome.detail


def test_a_row_without_a_checksum_is_taken_as_it_is(archive: Archive) -> None:
    assert isinstance(archive.looked_at(archive.add(b"a text", checksum="")), Done)


def test_a_store_that_does_not_answer_is_asked_again_and_then_left_to_the_next_run(archive: Archive) -> None:
    document = archive.add(b"a text")
    archive.files.failures = 2
    assert isinstance(archive.looked_at(document), Done)
    assert 2 == len(archive.slept)
    archive.files.failures = 3
    assert Delayed(reason="the store does not answer") == archive.looked_at(document)


def test_no_more_than_two_pieces_of_a_large_file_are_held(archive: Archive) -> None:
    document = archive.add(b"".join(noise(12 << 20, "large")))
    tracemalloc.start()
    try:
        outcome = archive.looked_at(document, piece=1 << 20)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, Done)
    assert str(12 << 20) == outcome.facts["bytes"]
    assert most < 4 << 20


async def test_the_fingerprint_is_of_the_file_alone(archive: Archive) -> None:
    stage = archive.downloaded(archive.transfers())
    document = archive.add(b"a text")
    processed = replace(document, fields={**document.fields, "processed": "true"})
    moved = replace(document, fields={**document.fields, "file_path": "elsewhere.pdf"})
    assert stage.fingerprint(document) == stage.fingerprint(processed)
    assert stage.fingerprint(document) != stage.fingerprint(moved)


def test_a_bucket_that_is_not_there_stops_the_stage_and_parks_nothing(
    archive: Archive, s3: S3Client, bucket: str
) -> None:
    document = archive.add(b"a text")

    async def look(name: str) -> Outcome:
        async with archive.transfers() as transfers:
            return (await Downloaded(BucketObjects(s3, name), transfers).run([document]))[0]

    with pytest.raises(TargetMissing):
        asyncio.run(look(f"{bucket}-not"))
    assert ("missing file", "") == parked(asyncio.run(look(bucket)))
    s3.put_object(Bucket=bucket, Key=document.fields["file_path"], Body=b"")
    assert ("empty file", "empty") == parked(asyncio.run(look(bucket)))
    s3.put_object(Bucket=bucket, Key=document.fields["file_path"], Body=b"a text")
    assert isinstance(asyncio.run(look(bucket)), Done)
