"""The S3 inbox on every S3 server: bounded pages, what counts as a dump, and which date it belongs to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ingest_project.sources.inbox import PAGE, Inbox

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@pytest.fixture
def inbox(s3: S3Client, one_bucket: str, prefix: str) -> Inbox:
    return Inbox(s3, bucket=one_bucket, prefix=f"{prefix}/inbox/messages/")


def put(inbox: Inbox, s3: S3Client, *names: str, body: bytes = b"[]") -> None:
    for name in names:
        s3.put_object(Bucket=inbox.bucket, Key=f"{inbox.prefix}/{name}", Body=body)


def name_of(inbox: Inbox, uri: str) -> str:
    return inbox.key_of(uri).removeprefix(f"{inbox.prefix}/")


def test_an_empty_inbox_has_one_empty_page(inbox: Inbox) -> None:
    page = inbox.page("")
    assert ((), frozenset(), "") == (page.files, page.done, page.after)


def test_a_page_has_the_dumps_with_size_and_etag_and_no_drafts(inbox: Inbox, s3: S3Client) -> None:
    put(inbox, s3, "2026-11-22/b ü-dump.json", "a-dump.json", body=b"[1]")
    put(inbox, s3, "2026-11-22/.hidden", "2026-11-22/x.part", "y.tmp", "_z.json", "folder/")
    page = inbox.page("")
    assert ["2026-11-22/b ü-dump.json", "a-dump.json"] == [name_of(inbox, file.uri) for file in page.files]
    head = s3.head_object(Bucket=inbox.bucket, Key=f"{inbox.prefix}/a-dump.json")
    (file,) = [file for file in page.files if file.uri.endswith("/a-dump.json")]
    assert (head["ETag"].strip('"'), 3, head["LastModified"]) == (file.etag, file.size, file.modified)


def test_a_listing_that_is_longer_than_a_page_goes_on_behind_it_and_starts_over(
    inbox: Inbox, s3: S3Client
) -> None:
    names = [f"2026-11-22/{number:05d}-dump.json" for number in range(PAGE + 5)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: put(inbox, s3, name), names))
    first = inbox.page("")
    assert (PAGE, f"{inbox.prefix}/{names[PAGE - 1]}") == (len(first.files), first.after)
    second = inbox.page(first.after)
    assert names[PAGE:] == [name_of(inbox, file.uri) for file in second.files]
    assert second.after == ""
    assert names == [name_of(inbox, file.uri) for file in inbox.of_date("2026-11-22")]


def test_a_done_sign_names_the_file_that_is_complete(inbox: Inbox, s3: S3Client) -> None:
    put(inbox, s3, "a-dump.json", "a-dump.json.done")
    page = inbox.page("")
    assert {"a-dump.json"} == {name_of(inbox, uri) for uri in page.done}
    assert ["a-dump.json"] == [name_of(inbox, file.uri) for file in page.files]


def test_the_files_of_an_export_wait_for_its_manifest(inbox: Inbox, s3: S3Client) -> None:
    root = "2026-11-22/AWSDynamoDB/01-a"
    put(inbox, s3, f"{root}/data/x.json.gz", f"{root}/manifest-files.json", "b-dump.json")
    assert ["b-dump.json"] == [name_of(inbox, file.uri) for file in inbox.page("").files]
    put(inbox, s3, f"{root}/manifest-summary.json")
    expected = [f"{root}/data/x.json.gz", "b-dump.json"]
    assert expected == [name_of(inbox, file.uri) for file in inbox.page("").files]


def test_files_of_a_date_lie_in_its_folder_or_loose_with_its_name_or_arrival(
    inbox: Inbox, s3: S3Client
) -> None:
    put(inbox, s3, "2026-11-21/a.json", "2026-11-21/deep/b.json", "c-2026-11-21.json", "2026-11-20/d.json")
    put(inbox, s3, "loose.json")
    found = [name_of(inbox, file.uri) for file in inbox.of_date("2026-11-21")]
    assert ["2026-11-21/a.json", "2026-11-21/deep/b.json", "c-2026-11-21.json"] == found
    head = s3.head_object(Bucket=inbox.bucket, Key=f"{inbox.prefix}/loose.json")
    arrival: datetime = head["LastModified"].astimezone(UTC)
    found = [name_of(inbox, file.uri) for file in inbox.of_date(arrival.date().isoformat())]
    assert ["loose.json"] == found


def test_another_entity_with_a_longer_name_is_not_seen(
    inbox: Inbox, s3: S3Client, one_bucket: str, prefix: str
) -> None:
    other = Inbox(s3, bucket=one_bucket, prefix=f"{prefix}/inbox/messages2")
    put(other, s3, "a.json")
    assert () == inbox.page("").files
