"""A hundred files in one call: what each of them is in the end, and one chunk of them alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.fault_scripts import error, in_order
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.cli.conftest import Ingest, write_lines
from ingest_project_tests.cli.processes import serving, variables_of


def with_server(server: FaultServer, home: Path, monkeypatch: pytest.MonkeyPatch, **more: str) -> FaultServer:
    for name, value in {**variables_of(server.url, home), **more}.items():
        monkeypatch.setenv(name, value)
    return server


def write_files(folder: Path, count: int) -> dict[str, int]:
    """Files of 1 to ``count`` records; file -> records."""
    folder.mkdir()
    made: dict[str, int] = {}
    for number in range(1, count + 1):
        path = folder / f"lines-{number:03}.jsonl"
        write_lines(path, [{"id": f"f{number}-{each}", "n": each} for each in range(number)])
        made[path.name] = number
    return made


def files_of(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {file["uri"].rsplit("/", 1)[-1]: file for file in report["files"]}


@pytest.mark.slow
def test_of_a_hundred_files_each_is_accounted_for_and_a_broken_one_harms_no_other(
    tmp_path: Path, home: Path, bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_files(tmp_path / "in", 96)
    (tmp_path / "in" / "cut.json").write_text('[{"id":"c1"},{"id":"c2"},{"id":"c')
    (tmp_path / "in" / "empty.jsonl").write_text("")
    (tmp_path / "in" / "odd.jsonl").write_text('{"id":"o1"}\n{"no":"key"}\n')
    (tmp_path / "in" / "text.jsonl").write_text("this is no dump\n")
    with serving(FaultServer(keys={"lines": ("id",)})) as server:
        with_server(server, home, monkeypatch)
        done = bare_ingest("load", tmp_path / "in", "--table", "lines", "--no-index", "--json")
    status = bare_ingest("status", "--json").report
    shown = bare_ingest("status").out
    files = files_of(done.report)
    assert (1, 100) == (done.status, len(files))
    assert made == {name: files[name]["written"] for name in made}
    assert not any(files[name]["error"] for name in made)
    assert (2, True) == (files["cut.json"]["written"], "byte" in files["cut.json"]["error"])
    assert (0, True) == (files["empty.jsonl"]["read"], "byte 0" in files["empty.jsonl"]["error"])
    assert (1, 1) == (files["odd.jsonl"]["written"], files["odd.jsonl"]["rejected"])
    assert "byte" in files["text.jsonl"]["error"]
    assert sum(made.values()) + 3 == len(server.tables.items["lines"])
    (seen,) = status["imports"]
    states = {file["uri"].rsplit("/", 1)[-1]: file["state"] for file in seen["files"]}
    failed = {name for name, state in states.items() if state == "failed"}
    assert {"cut.json", "empty.jsonl", "text.jsonl"} == failed
    assert (1.0, 0.0) == (seen["share"], seen["seconds_left"])
    assert "import load cli: 100 files: 97 loaded, 3 failed; 100 % done" in shown


def test_one_chunk_is_sent_again_alone(
    tmp_path: Path, home: Path, bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path / "in", 3)
    outage = in_order(None, *[error("InternalServerError", status=500)] * 2)
    load = ("load", tmp_path / "in", "--table", "lines", "--no-index", "--json")
    with serving(FaultServer(keys={"lines": ("id",)}, script=outage)) as server:
        with_server(server, home, monkeypatch, INGEST_RETRY_ATTEMPTS="1")
        first = bare_ingest(*load, "--at-once", 1)
        assert [1, 0, 0] == [file["written"] for file in first.report["files"]]
        left = bare_ingest("status", "--json").report["unfinished"]
        chunks = {chunk["uri"][-9:-6]: chunk["chunk_id"] for chunk in left}
        assert {"002", "003"} == set(chunks)
        alone = bare_ingest(*load, "--chunk", chunks["002"])
        assert (0, 2) == (alone.status, sum(file["written"] for file in alone.report["files"]))
        assert 1 + 2 == server.tables.puts
        rest = bare_ingest(*load)
        assert (0, 6) == (rest.status, rest.report["written"])
        assert 1 + 2 + 3 == server.tables.puts


def test_a_chunk_sent_again_after_all_was_loaded_still_loses_to_what_came_later(
    tmp_path: Path, home: Path, bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    write_lines(tmp_path / "in" / "a.jsonl", [{"id": "same", "v": "old"}, {"id": "a", "v": "a"}])
    write_lines(tmp_path / "in" / "b.jsonl", [{"id": "same", "v": "new"}])
    load = ("load", tmp_path / "in", "--table", "lines", "--no-index", "--json")
    with serving(FaultServer(keys={"lines": ("id",)})) as server:
        with_server(server, home, monkeypatch)
        assert 0 == bare_ingest(*load).status
        chunk = chunk_of(home, "a.jsonl")
        again = bare_ingest(*load, "--again", "--chunk", chunk[:8])
        assert (0, 1, 1) == (again.status, again.report["written"], again.report["superseded"])
        assert "new" in json.dumps(list(map(str, server.tables.items["lines"].values())))
        assert "old" not in json.dumps(list(map(str, server.tables.items["lines"].values())))


def test_a_chunk_that_nobody_knows_is_a_wrong_call(
    tmp_path: Path, home: Path, bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path / "in", 1)
    with serving(FaultServer(keys={"lines": ("id",)})) as server:
        with_server(server, home, monkeypatch)
        done = bare_ingest("load", tmp_path / "in", "--table", "lines", "--no-index", "--chunk", "nope")
    assert 2 == done.status
    assert "--chunk nope is 0 chunks of these files" in done.err


def chunk_of(home: Path, name: str) -> str:

    ledger = SqlLedger(home / "ledger.db")
    try:
        return next(row.chunk_id for row in ledger.status() if row.uri.endswith(name))
    finally:
        ledger.close()
