"""`ingest load` on the embedded servers: what is in the targets afterwards, and what it says of it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from ingest_project_tests.cli.conftest import RECORDS, Ingest, items_of, write_lines
from ingest_project_tests.entities.dropship import golden


def test_a_dump_is_in_the_table_and_in_the_index_digit_for_digit(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, opensearch: Any, table: str
) -> None:
    digits = "12345678901234567890.123456789012345678"
    path = tmp_path / f"{table}-dump.json"
    path.write_text('{"Count":2,"Items":[{"id":"a","n":' + digits + '},{"id":"b","t":"\\u00e9"}]}')
    done = ingest("load", path)
    assert done.status == 0, done.err
    items = items_of(dynamodb, table)
    assert {"a": {"id": {"S": "a"}, "n": {"N": digits}}, "b": {"id": {"S": "b"}, "t": {"S": "é"}}} == items
    assert opensearch.get(index=table, id="b")["_source"] == {"id": "b", "t": "é"}


def test_json_prints_one_object_with_all_counts(ingest: Ingest, dump: Path, table: str) -> None:
    done = ingest("load", dump, "--json")
    assert done.status == 0, done.err
    report = done.report
    counts = {name: report[name] for name in ("read", "written", "indexed", "superseded", "rejected")}
    assert {"read": 60, "written": 60, "indexed": 60, "superseded": 0, "rejected": 0} == counts
    assert report["unchanged"] == 0
    assert report["seconds"] > 0
    assert report["items_per_second"] > 0
    assert report["peak_rss_bytes"] > 10 * 2**20
    (file,) = report["files"]
    assert (dump.as_uri(), table, table, 60, "") == tuple(
        file[name] for name in ("uri", "table", "index", "read", "error")
    )


def test_a_second_call_finds_everything_loaded_and_sends_nothing(
    ingest: Ingest, dump: Path, dynamodb: Any, table: str
) -> None:
    assert ingest("load", dump).status == 0
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "r7"}})
    done = ingest("load", dump)
    assert done.status == 0
    assert "loaded before" in done.out
    assert "nothing was sent" in done.out
    assert "r7" not in items_of(dynamodb, table)


def test_again_loads_anew(ingest: Ingest, dump: Path, dynamodb: Any, table: str) -> None:
    assert ingest("load", dump).status == 0
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "r7"}})
    done = ingest("load", dump, "--again", "--json")
    assert done.status == 0
    assert done.report["written"] == 60
    assert not done.report["files"][0]["loaded_before"]
    assert "r7" in items_of(dynamodb, table)


def test_a_changed_file_is_loaded_anew(ingest: Ingest, dump: Path, dynamodb: Any, table: str) -> None:
    assert ingest("load", dump).status == 0
    write_lines(dump, [*RECORDS, {"id": "new", "n": 1}])
    assert ingest("load", dump).status == 0
    assert "new" in items_of(dynamodb, table)


def test_a_table_that_was_made_again_counts_as_empty(
    ingest: Ingest, dump: Path, dynamodb: Any, table: str
) -> None:
    assert ingest("load", dump).status == 0
    dynamodb.delete_table(TableName=table)
    assert ingest("load", dump, "--create-table", "--key", "id").status == 0
    assert len(items_of(dynamodb, table)) == 60


def test_a_table_that_was_made_again_with_another_key_is_loaded_under_that_key(
    ingest: Ingest, dump: Path, dynamodb: Any, table: str
) -> None:
    assert ingest("load", dump, "--no-index").status == 0
    dynamodb.delete_table(TableName=table)
    done = ingest("load", dump, "--no-index", "--create-table", "--key", "id:S,n:N", "--json")
    assert (0, 60) == (done.status, done.report["written"])
    assert len(items_of(dynamodb, table)) == 60


def test_a_dry_run_reads_counts_and_writes_nothing_anywhere(
    ingest: Ingest, dump: Path, home: Path, dynamodb: Any, opensearch: Any, table: str
) -> None:
    write_lines(dump, [*RECORDS, {"n": 1}])
    done = ingest("load", dump, "--dry-run", "--json")
    assert done.status == 1
    counts = {name: done.report[name] for name in ("read", "valid", "rejected", "written", "indexed")}
    assert {"read": 61, "valid": 60, "rejected": 1, "written": 0, "indexed": 0} == counts
    assert {"id: the key attribute is missing": 1} == done.report["files"][0]["reasons"]
    assert {} == items_of(dynamodb, table)
    assert not opensearch.indices.exists(index=table)
    assert [] == list(home.iterdir())


def test_a_dry_run_makes_no_table_even_when_it_may(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table_name: str
) -> None:
    dump = write_lines(tmp_path / "x.json", RECORDS)
    done = ingest("load", dump, "--table", table_name, "--create-table", "--key", "id", "--dry-run")
    assert done.status == 0, done.out
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.describe_table(TableName=table_name)
    assert "was taken as given" in done.out


def test_a_missing_table_is_an_error_that_says_what_to_do(
    ingest: Ingest, tmp_path: Path, table_name: str
) -> None:
    done = ingest("load", write_lines(tmp_path / f"{table_name}.json", RECORDS))
    assert done.status == 1
    assert f"table {table_name} does not exist" in done.out
    assert "--create-table --key" in done.out


def test_a_table_is_created_with_the_key_that_is_given(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table_name: str
) -> None:
    dump = write_lines(tmp_path / f"{table_name}.json", RECORDS)
    assert ingest("load", dump, "--create-table", "--key", "id:S,n:N").status == 0
    schema = dynamodb.describe_table(TableName=table_name)["Table"]["KeySchema"]
    assert [("id", "HASH"), ("n", "RANGE")] == [(one["AttributeName"], one["KeyType"]) for one in schema]


def test_a_key_that_is_not_the_tables_is_refused(
    ingest: Ingest, dump: Path, dynamodb: Any, table: str
) -> None:
    done = ingest("load", dump, "--key", "other:N")
    assert done.status == 1
    assert "has the key id:S, not other:N" in done.out
    assert {} == items_of(dynamodb, table)


def test_without_index_the_index_is_not_made(ingest: Ingest, dump: Path, opensearch: Any, table: str) -> None:
    assert ingest("load", dump, "--no-index").status == 0
    assert not opensearch.indices.exists(index=table)


def test_an_index_may_have_its_own_name(
    ingest: Ingest, dump: Path, opensearch: Any, table: str, index_name: str
) -> None:
    done = ingest("load", dump, "--index", index_name, "--json")
    assert (0, index_name) == (done.status, done.report["files"][0]["index"])
    assert opensearch.get(index=index_name, id="r1")["_source"]["n"] == 1


def test_without_opensearch_the_table_alone_is_loaded_and_that_is_said(
    ingest: Ingest, dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENSEARCH_URL")
    done = ingest("load", dump)
    assert done.status == 0
    assert "the table alone is loaded" in done.out


def test_a_remote_table_is_refused_before_a_byte_is_read(
    ingest: Ingest, tmp_path: Path, table_name: str
) -> None:
    dump = write_lines(tmp_path / f"{table_name}.json", RECORDS)
    done = ingest("load", dump, "--endpoint", "https://dynamodb.example.com", "--region", "eu-west-1")
    assert done.status == 1
    assert "INGEST_ALLOW_REMOTE_WRITES" in done.out
    assert "planned" not in done.err


def test_the_log_file_can_be_followed(ingest: Ingest, dump: Path, tmp_path: Path) -> None:
    log = tmp_path / "load.log"
    assert ingest("load", dump, "--log-file", log).status == 0
    lines = log.read_text().splitlines()
    assert any("table: 100 %, 60 of 60" in line for line in lines)
    assert 60 == json.loads(lines[-1].split(" ", 1)[1])["written"]


def test_progress_goes_to_standard_error_with_share_and_rate(ingest: Ingest, dump: Path) -> None:
    done = ingest("load", dump, "--json")
    assert "validating: 100 %, 60 of 60" in done.err
    assert "/s" in done.err


def test_status_tells_of_files_and_chunks(ingest: Ingest, dump: Path) -> None:
    assert ingest("load", dump).status == 0
    done = ingest("status", "--json")
    assert done.status == 0
    (file,) = done.report["files"]
    assert (dump.as_uri(), "loaded", 60) == (file["uri"], file["state"], file["read"])
    assert 1 == done.report["chunks"]["load/table"]["sealed"]
    assert [] == ingest("status", "--date", "2026-01-01", "--json").report["files"]
    assert dump.name in ingest("status").out


def test_an_entity_named_brings_its_own_format_and_key(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table: str
) -> None:
    export = resources.files(golden).joinpath("hostile.csv").read_text().splitlines(keepends=True)
    (tmp_path / "day.csv").write_text("".join(export[:2]))
    made = f"{table}-lines"
    done = ingest(
        "load", tmp_path / "day.csv", "--entity", "dropship", "--table", made, "--create-table", "--no-index"
    )
    assert done.status == 0, done.err
    (item,) = dynamodb.scan(TableName=made)["Items"]
    assert {"kode_pesanan", "line"} <= item.keys()


def test_dumps_of_any_table_need_a_key_to_make_one(ingest: Ingest, dump: Path) -> None:
    done = ingest("load", dump, "--entity", "messages", "--create-table")
    assert done.status == 2
    assert "a table can only be made with a key" in done.err
