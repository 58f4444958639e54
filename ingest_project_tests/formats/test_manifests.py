"""Manifests of AWS exports: parsed strictly, data files found beside them wherever the export was copied."""

from __future__ import annotations

import base64
import json

import pytest

from ingest_project.core.errors import BadInput
from ingest_project.formats.manifests import ExportSummary, is_manifest, parse_files, parse_summary

URI = "s3://copy/x/01693-ab/manifest-summary.json"
PREFIX = "AWSDynamoDB/01693-ab/"
MD5 = base64.b64encode(b"0123456789abcdef").decode()


def summary_text(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "version": "2020-06-30",
        "exportArn": "arn:aws:dynamodb:eu-west-1:1:table/messages/export/01693-ab",
        "s3Bucket": "original",
        "s3Prefix": None,
        "manifestFilesS3Key": PREFIX + "manifest-files.json",
        "billedSizeBytes": 0,
        "itemCount": 3,
        "outputFormat": "DYNAMODB_JSON",
    }
    return json.dumps(fields | changes).encode()


def line(name: str = "data/a.json.gz", items: int = 3, md5: str = MD5, prefix: str = PREFIX) -> bytes:
    entry = {"itemCount": items, "md5Checksum": md5, "etag": "e-1", "dataFileS3Key": prefix + name}
    return json.dumps(entry).encode() + b"\n"


def summary() -> ExportSummary:
    return parse_summary(URI, summary_text())


def test_data_files_lie_beside_their_manifest() -> None:
    assert "s3://copy/x/01693-ab/manifest-files.json" == summary().files
    found = parse_files(summary(), line(items=2) + b"\n" + line("data/b.json.gz", 1))
    assert [
        ("s3://copy/x/01693-ab/data/a.json.gz", 2, b"0123456789abcdef"),
        ("s3://copy/x/01693-ab/data/b.json.gz", 1, b"0123456789abcdef"),
    ] == [(file.uri, file.items, file.md5) for file in found]


def test_a_key_under_another_prefix_is_found_by_its_last_two_parts() -> None:
    found = parse_files(summary(), line(prefix="moved/elsewhere/"))
    assert "s3://copy/x/01693-ab/data/a.json.gz" == found[0].uri


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[]", "the summary of an export"),
        (b"{", "the summary of an export"),
        (summary_text(itemCount="3"), "the summary of an export"),
        (summary_text(outputFormat="ION"), "DYNAMODB_JSON, found ION"),
    ],
)
def test_a_broken_summary_is_named(text: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        parse_summary(URI, text)
    assert URI == caught.value.uri


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        (line() + b"oops\n", len(line()), "a data file's entry"),
        (line(md5="!"), 0, "a data file's entry"),
        (line(md5="QUJD"), 0, "a data file's key and MD5"),
        (line("../../secret"), 0, "a data file's key and MD5"),
        (line(items=2), len(line(items=2)), "3 items in all, as the summary says; found 2"),
        (line(items=1) + line(items=2), 0, "each data file once"),
    ],
)
def test_a_broken_list_of_files_is_named(text: bytes, offset: int, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        parse_files(summary(), text)
    assert (summary().files, offset) == (caught.value.uri, caught.value.offset)


def test_files_about_the_data_are_no_data() -> None:
    names = (
        "manifest-summary.json",
        "manifest-files.json",
        "manifest-files.checksum",
        "_started",
        "data/a.json.gz",
    )
    assert [True, True, True, True, False] == [is_manifest(f"s3://b/x/{name}") for name in names]
