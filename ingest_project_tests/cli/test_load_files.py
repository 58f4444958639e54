"""`ingest load`: what is taken from folders, exports and buckets; how broken files and bad records end."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from ingest_project.local.samples import write_samples
from ingest_project_tests.cli.conftest import RECORDS, Ingest, items_of, write_lines


def test_of_one_key_in_several_files_the_last_file_wins_whatever_the_order_of_the_paths(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str
) -> None:
    late = write_lines(tmp_path / "b.json", [{"id": "k", "from": "b"}, {"id": "only b"}])
    early = write_lines(tmp_path / "a.json", [{"id": "k", "from": "a"}, {"id": "only a"}])
    done = ingest("load", late, early, "--table", table, "--json")
    assert done.status == 0, done.err
    assert (3, 1) == (done.report["written"], done.report["superseded"])
    assert {"S": "b"} == items_of(dynamodb, table)["k"]["from"]


def test_the_last_file_wins_also_when_it_was_loaded_before(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str
) -> None:
    late = write_lines(tmp_path / "b.json", [{"id": "k", "from": "b"}])
    early = write_lines(tmp_path / "a.json", [{"id": "k", "from": "a"}])
    assert ingest("load", late, "--table", table).status == 0
    done = ingest("load", early, late, "--table", table, "--json")
    assert done.status == 0
    assert {"S": "b"} == items_of(dynamodb, table)["k"]["from"]
    assert (1, 1) == (done.report["written"], done.report["superseded"])


def test_a_truncated_file_names_the_byte_and_keeps_what_stood_before_it(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('[{"id":"a"},{"id":"b"},{"id":')
    whole = write_lines(tmp_path / "whole.json", [{"id": "c"}])
    done = ingest("load", broken, whole, "--table", table, "--json")
    assert done.status == 1
    files = {Path(file["uri"]).name: file for file in done.report["files"]}
    assert "broken.json: byte" in files["broken.json"]["error"]
    assert (2, 2, "") == (
        files["broken.json"]["read"],
        files["broken.json"]["written"],
        files["whole.json"]["error"],
    )
    assert {"a", "b", "c"} == set(items_of(dynamodb, table))


def test_a_broken_file_is_not_sent_a_second_time(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('[{"id":"a"},{"id":')
    assert ingest("load", broken, "--table", table).status == 1
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    done = ingest("load", broken, "--table", table)
    assert done.status == 1
    assert "byte" in done.out
    assert {} == items_of(dynamodb, table)


def test_rejected_records_are_counted_listed_and_shown(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str
) -> None:
    dump = tmp_path / f"{table}.jsonl"
    dump.write_text('{"id":"good"}\n{"id":"","x":"' + "y" * 70_000 + '"}\n{"x":2}\n')
    done = ingest("load", dump)
    assert done.status == 1
    assert "1 rejected: id: the key attribute is empty" in done.out
    assert {"good"} == set(items_of(dynamodb, table))
    listed = ingest("rejections", "list", "--file", dump.name, "--json")
    assert listed.status == 0
    first, second = listed.report["rejections"]
    assert (14, "id: the key attribute is empty", True) == (first["offset"], first["reason"], first["cut"])
    assert '{"x":2}' == second["raw"]
    only = ingest("rejections", "list", "--reason", "missing", "--limit", 1, "--json")
    assert [second] == only.report["rejections"]
    shown = ingest("rejections", "show", first["id"])
    assert shown.status == 0
    assert '{"id":"","x":"yyy' in shown.out
    assert "cut: the first 65,536 of 70,016 bytes" in shown.out


def test_a_folder_is_loaded_by_pattern_with_the_tables_named_by_the_files(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_lines(folder / f"{table}-dump.json", RECORDS)
    write_lines(folder / "notes.txt", [{"id": "no"}])
    done = ingest("load", folder, "--pattern", "*-dump.json", "--json")
    assert done.status == 0
    assert [table] == [file["table"] for file in done.report["files"]]


def test_marks_and_temporary_files_of_a_folder_are_passed_over(
    ingest: Ingest, tmp_path: Path, table: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_lines(folder / f"{table}.json", RECORDS)
    for name in (f"{table}.json.done", ".hidden.json", "half.json.part", "_SUCCESS"):
        (folder / name).write_text("")
    done = ingest("load", folder, "--no-index", "--json")
    assert (0, 1) == (done.status, len(done.report["files"]))


def write_export(folder: Path, lines: list[str], *, items: int) -> Path:
    """An AWS export of one data file, with manifests that announce ``items``."""
    root = folder / "AWSDynamoDB" / "01700000000000-abcdef"
    (root / "data").mkdir(parents=True)
    data = gzip.compress("".join(lines).encode(), mtime=0)
    (root / "data" / "x.json.gz").write_bytes(data)
    checksum = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
    prefix = "AWSDynamoDB/01700000000000-abcdef"
    entry = {"itemCount": items, "md5Checksum": checksum, "dataFileS3Key": f"{prefix}/data/x.json.gz"}
    summary = {
        "itemCount": items,
        "manifestFilesS3Key": f"{prefix}/manifest-files.json",
        "outputFormat": "DYNAMODB_JSON",
    }
    (root / "manifest-files.json").write_text(json.dumps(entry) + "\n")
    (root / "manifest-summary.json").write_text(json.dumps(summary))
    return root


@pytest.mark.parametrize("named", ["", "AWSDynamoDB/01700000000000-abcdef/manifest-summary.json"])
def test_an_export_is_loaded_through_its_manifest(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str, named: str
) -> None:
    folder = tmp_path / table
    write_export(folder, ['{"Item":{"id":{"S":"a"}}}\n', '{"Item":{"id":{"S":"b"}}}\n'], items=2)
    done = ingest("load", folder / named, "--no-index", "--json")
    assert done.status == 0, done.out
    assert (2, 2, table) == (done.report["read"], done.report["written"], done.report["files"][0]["table"])
    assert {"a", "b"} == set(items_of(dynamodb, table))


def test_an_export_that_is_not_as_its_manifest_says_is_not_loaded(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str
) -> None:
    folder = tmp_path / table
    write_export(folder, ['{"Item":{"id":{"S":"a"}}}\n'], items=2)
    done = ingest("load", folder, "--no-index")
    assert done.status == 1
    assert "2 items as in the manifest, found 1" in done.out
    assert {} == items_of(dynamodb, table)


def test_objects_of_a_bucket_are_loaded(
    ingest: Ingest, s3: Any, bucket: str, dynamodb: Any, table: str
) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS)
    s3.put_object(Bucket=bucket, Key=f"in/{table}-dump.json", Body=lines.encode())
    done = ingest("load", f"s3://{bucket}/in", "--json")
    assert done.status == 0, done.err
    assert 60 == len(items_of(dynamodb, table))


def test_every_shape_of_the_samples_is_loaded_with_two_workers(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str
) -> None:
    orders = next(path for path in write_samples(tmp_path) if path.name == "orders-dump.json")
    copy = write_lines(tmp_path / "copy.json", [{"id": "order-0001", "late": True}])
    done = ingest("load", orders, copy, "--table", table, "--workers", 2, "--no-index", "--json")
    assert done.status == 0, done.err
    # copy.json comes before orders-dump.json: its record is the one that loses.
    assert (1501, 1500, 1) == tuple(done.report[name] for name in ("read", "written", "superseded"))
    assert 1500 == len(items_of(dynamodb, table))
