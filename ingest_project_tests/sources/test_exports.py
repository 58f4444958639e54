"""Exports on disk: expanded to their files, and held against their manifest."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path

import pytest

from ingest_project.core.errors import BadInput, TargetMissing
from ingest_project.sources.dumps import DumpSource, list_files
from ingest_project.sources.exports import expand, export_root, split_exports, verify

KEY = "AWSDynamoDB/0169-ab c/"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """The folder of an export of five items in two files."""
    folder = tmp_path / KEY
    (folder / "data").mkdir(parents=True)
    entries = []
    for name, numbers in (("z.json.gz", range(2)), ("a.json.gz", range(2, 5))):
        stored = gzip.compress(b"".join(b'{"Item":{"id":{"S":"%d"}}}\n' % n for n in numbers))
        (folder / "data" / name).write_bytes(stored)
        md5 = base64.b64encode(hashlib.md5(stored).digest()).decode()
        entries.append({"itemCount": len(numbers), "md5Checksum": md5, "dataFileS3Key": f"{KEY}data/{name}"})
    (folder / "manifest-files.json").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    summary = {
        "itemCount": 5,
        "manifestFilesS3Key": f"{KEY}manifest-files.json",
        "outputFormat": "DYNAMODB_JSON",
    }
    (folder / "manifest-summary.json").write_text(json.dumps(summary))
    (folder / "manifest-files.checksum").write_text("x")
    return folder


def test_an_export_is_expanded_to_its_files_and_verified(export: Path) -> None:
    source = DumpSource()
    for address in (export.as_uri(), export.as_uri() + "/", export.as_uri() + "/manifest-summary.json"):
        found = expand(source, address)
        assert ["a.json.gz", "z.json.gz"] == [file.uri.rsplit("/", 1)[1] for file in found.files]
        indexes = [source.index(file) for file in found.files]
        assert [("export", "gzip", 3), ("export", "gzip", 2)] == [
            (index.shape, index.compression, index.records) for index in indexes
        ]
        for index in indexes:
            verify(source, index, found.expected[index.file.uri])


def test_changed_bytes_are_named(export: Path) -> None:
    (export / "data" / "a.json.gz").write_bytes(gzip.compress(b'{"Item":{"id":{"S":"x"}}}\n' * 3))
    source = DumpSource()
    found = expand(source, export.as_uri())
    with pytest.raises(BadInput, match=r"a\.json\.gz: .*MD5"):
        verify(source, source.index(found.files[0]), found.expected[found.files[0].uri])


def test_another_number_of_items_is_named(export: Path) -> None:
    manifest = export / "manifest-files.json"
    text = (
        manifest.read_text()
        .replace('"itemCount": 2', '"itemCount": 1')
        .replace('"itemCount": 3', '"itemCount": 4')
    )
    manifest.write_text(text)
    source = DumpSource()
    found = expand(source, export.as_uri())
    with pytest.raises(
        BadInput, match=r"a\.json\.gz: byte \d+: expected 4 items as in the manifest, found 3"
    ):
        verify(source, source.index(found.files[0]), found.expected[found.files[0].uri])


def test_a_missing_data_file_is_an_error(export: Path) -> None:
    (export / "data" / "z.json.gz").unlink()
    with pytest.raises(BadInput, match=r"data/z\.json\.gz, which the manifest lists"):
        expand(DumpSource(), export.as_uri())


def test_a_folder_without_a_manifest_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(TargetMissing, match="manifest-summary"):
        expand(DumpSource(), tmp_path.as_uri())


def test_a_listing_is_split_into_dumps_and_exports(export: Path, tmp_path: Path) -> None:
    (tmp_path / "messages-dump.json").write_text("[]")
    plain, summaries = split_exports(list_files(str(tmp_path)))
    assert [(tmp_path / "messages-dump.json").as_uri()] == [file.uri for file in plain]
    assert [export.as_uri() + "/manifest-summary.json"] == summaries


def test_the_folder_of_a_data_file_is_its_export() -> None:
    assert "s3://b/AWSDynamoDB/01" == export_root("s3://b/AWSDynamoDB/01/data/x.json.gz")
    assert "" == export_root("s3://b/messages-dump.json")
