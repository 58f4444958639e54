"""`ingest rejections export` and `replay`: corrected and re-admitted records arrive once, at their place."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest_project import api
from ingest_project.core.model import Admitted, Chunk, RecordBatch, Rejection
from ingest_project.core.ports import Admission
from ingest_project.entities.messages.spec import SPEC
from ingest_project.ledgers.sql import SqlLedger
from ingest_project_tests.cli.conftest import Ingest, items_of, write_lines

pytestmark = pytest.mark.servers


@pytest.fixture
def table(dynamodb: Any, request: pytest.FixtureRequest) -> str:
    """An empty table of this test's own."""
    name = f"replays-{abs(hash(request.node.nodeid)) % 10**9}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def correct(path: Path, change: dict[str, str]) -> None:
    """Edit an exported file as a person would: the text of some records."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        for old, new in change.items():
            line["record"] = line["record"].replace(old, new)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def load(ingest: Ingest, path: Path, table: str) -> dict[str, Any]:
    return ingest("load", path, "--table", table, "--no-index", "--json").report


def test_corrected_records_arrive_at_their_place_in_the_order(
    ingest: Ingest, dynamodb: Any, table: str, tmp_path: Path
) -> None:
    records: list[dict[str, object]] = [
        {"id": "a", "from": "first"},
        {"id": 5, "from": "a, between"},
        {"id": "b", "from": "first"},
        {"id": 6, "from": "b, last"},
        {"id": "a", "from": "last"},
        {"id": 7, "from": "c"},
    ]
    dump = write_lines(tmp_path / "things-dump.json", records)
    report = load(ingest, dump, table)
    assert (3, 0.5, 0.5, 0) == (
        report["rejected"],
        report["success_rate"],
        report["failure_rate"],
        report["failed_files"],
    )
    assert report["cpu_seconds"] > 0
    assert report["target_seconds"] > 0
    exported = tmp_path / "bad.jsonl"
    assert 0 == ingest("rejections", "export", exported).status
    correct(exported, {'"id": 5': '"id": "a"', '"id": 6': '"id": "b"'})
    done = ingest("rejections", "replay", exported, "--by", "me", "--json")
    assert (1, 2, 2) == (done.status, done.report["taken"], done.report["loaded"])
    assert {"a": "last", "b": "b, last"} == {
        key: item["from"]["S"] for key, item in items_of(dynamodb, table).items()
    }
    assert [1] == list(done.report["still_refused"].values())
    listed = ingest("rejections", "list", "--json").report["rejections"]
    assert ['{"id": 7, "from": "c"}'] == [letter["raw"] for letter in listed]
    closed = ingest("rejections", "list", "--all", "--json").report["rejections"]
    assert [("loaded", "me"), ("loaded", "me"), ("open", "")] == [
        (letter["state"], letter["closed_by"]) for letter in closed
    ]


def test_what_was_replayed_is_not_sent_again(
    ingest: Ingest, dynamodb: Any, table: str, tmp_path: Path
) -> None:
    dump = write_lines(tmp_path / "things-dump.json", [{"id": "a"}, {"id": 5}])
    load(ingest, dump, table)
    exported = tmp_path / "bad.jsonl"
    ingest("rejections", "export", exported)
    correct(exported, {'"id": 5': '"id": "b"'})
    assert 1 == ingest("rejections", "replay", exported, "--json").report["loaded"]
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "b"}})
    again = ingest("rejections", "replay", exported, "--json")
    assert {"it is loaded already": 1} == again.report["left"]
    assert 0 == ingest("rejections", "replay", "--json").report["taken"]
    assert {"a"} == set(items_of(dynamodb, table))


class Strict:
    """The usual contract, that refuses what it is told to refuse."""

    def __init__(self, chunk: Chunk, word: bytes) -> None:
        self._inner, self._word = SPEC.admission(chunk), word

    def __call__(self, batch: RecordBatch) -> Admitted:
        if not any(self._word in bytes(raw) for raw in batch.raws):
            return self._inner(batch)
        one = [
            self._one(
                RecordBatch(
                    first=batch.first + at, raws=[raw], offsets=[batch.offsets[at]], after=batch.after
                )
            )
            for at, raw in enumerate(batch.raws)
        ]
        return Admitted(
            lines=[line for part in one for line in part.lines],
            hashes=[digest for part in one for digest in part.hashes],
            offsets=[offset for part in one for offset in part.offsets],
            rejections=[letter for part in one for letter in part.rejections],
        )

    def _one(self, batch: RecordBatch) -> Admitted:
        raw = bytes(batch.raws[0])
        if self._word not in raw:
            return self._inner(batch)
        letter = Rejection(ordinal=batch.first, offset=batch.offsets[0], reason="not allowed", raw=raw)
        return Admitted(lines=[], hashes=[], offsets=[], rejections=[letter])


def use(monkeypatch: pytest.MonkeyPatch, word: bytes | None) -> None:
    """Have a contract that refuses records with the word; None mends it."""

    def admission(chunk: Chunk) -> Admission:
        return Strict(chunk, word) if word else SPEC.admission(chunk)

    for module in ("ingest_project.api", "ingest_project.cli_loading"):
        monkeypatch.setattr(
            f"{module}.entity_spec", lambda name=api.DUMPS: replace(SPEC, admission=admission)
        )


def test_a_contract_that_was_mended_admits_what_it_refused(
    ingest: Ingest, dynamodb: Any, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [{"id": f"r{number}", "kind": "odd" if number % 2 else "even"} for number in range(1200)]
    # The last record with the key of an odd one is an even one: it stays.
    records.append({"id": "r1", "kind": "even"})
    dump = write_lines(tmp_path / "things-dump.json", records)
    use(monkeypatch, b"odd")
    first = load(ingest, dump, table)
    assert (1201, 601, 600) == (first["read"], first["written"], first["rejected"])
    refused_still = ingest("rejections", "replay", "--json")
    assert ({"not allowed": 600}, 0) == (refused_still.report["still_refused"], refused_still.report["taken"])
    use(monkeypatch, None)
    done = ingest("rejections", "replay", "--file", dump.name, "--json")
    assert (0, 600, 600) == (done.status, done.report["taken"], done.report["loaded"])
    items = items_of(dynamodb, table)
    assert (1200, "even", "odd") == (len(items), items["r1"]["kind"]["S"], items["r3"]["kind"]["S"])


def test_a_load_after_a_replay_tells_no_record_twice(
    ingest: Ingest, dynamodb: Any, table: str, tmp_path: Path, home: Path
) -> None:
    dump = write_lines(tmp_path / "things-dump.json", [{"id": "a"}, {"id": 5}, {"id": 6}])
    load(ingest, dump, table)
    exported = tmp_path / "bad.jsonl"
    ingest("rejections", "export", exported)
    correct(exported, {'"id": 5': '"id": "b"'})
    ingest("rejections", "replay", exported)
    (file,) = ingest("status", "--json").report["files"]
    assert (3, 1, "loaded") == (file["read"], file["rejected"], file["state"])
    again = ingest("load", dump, "--table", table, "--no-index", "--json", "--again").report
    assert (3, 2, 1) == (again["read"], again["written"], again["rejected"])
    assert {"a", "b"} == set(items_of(dynamodb, table))


def test_without_its_file_a_load_cannot_be_replayed_and_nothing_is_lost(
    ingest: Ingest, dynamodb: Any, table: str, tmp_path: Path, home: Path
) -> None:
    dump = write_lines(tmp_path / "things-dump.json", [{"id": "a"}, {"id": 5}])
    load(ingest, dump, table)
    exported, text = tmp_path / "bad.jsonl", dump.read_bytes()
    stamp = dump.stat()
    ingest("rejections", "export", exported)
    correct(exported, {'"id": 5': '"id": "b"'})
    dump.unlink()
    failed = ingest("rejections", "replay", exported)
    assert 2 == failed.status
    assert "put it back" in failed.err
    dump.write_bytes(text)
    os.utime(dump, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert 0 == ingest("rejections", "replay").status
    assert {"a", "b"} == set(items_of(dynamodb, table))
    ledger = SqlLedger(home / "ledger.db")
    assert ["loaded"] == [letter.state for letter in ledger.dead_letters.list()]
    ledger.close()


def test_an_export_is_not_overwritten_and_a_broken_one_is_told_with_its_line(
    ingest: Ingest, tmp_path: Path
) -> None:
    exported = tmp_path / "bad.jsonl"
    exported.write_text('\n{"id": "c:validated:1"}\n')
    assert 2 == ingest("rejections", "export", exported).status
    failed = ingest("rejections", "replay", exported)
    assert 2 == failed.status
    assert "line 2: not an exported rejection" in failed.err
