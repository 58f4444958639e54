"""`ingest index`: what it prints, what it asks for, and what it refuses, beside `ingest load`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ingest_project_tests.cli.conftest import Ingest, write_lines
from ingest_project_tests.resources.indices.depot import Depot, records


@pytest.fixture
def depot(
    variables: Mapping[str, str], home: Path, index_name: str, monkeypatch: pytest.MonkeyPatch
) -> Depot:
    """Validated records of one table, in the deployment of the command line, its index in use."""
    monkeypatch.setenv("INGEST_PART_STORE", "local")
    found = Depot(url=variables["OPENSEARCH_URL"], home=home, table=index_name)
    found.drop(records(40))
    found.validate()
    found.load()
    return found


def test_the_indices_of_ours_are_listed(ingest: Ingest, depot: Depot, opensearch: Any) -> None:
    opensearch.indices.create(index=f"{depot.table}-theirs")
    listed = json.loads(ingest("index", "list", "--json").out)["indices"]
    mine = [one for one in listed if one["name"].startswith(depot.table)]
    expected = {"name": depot.table, "table": depot.table, "aliases": [], "documents": 40, "state": ""}
    assert [expected] == mine
    assert depot.table in ingest("index", "list").out


def test_rebuild_switch_and_delete_tell_what_they_did(ingest: Ingest, depot: Depot) -> None:
    refused = ingest("index", "rebuild", depot.table)
    assert (1, True) == (refused.status, "--delete-old" in refused.err)
    first = ingest("index", "rebuild", depot.table, "--delete-old", "--json")
    assert (0, True, True) == (first.status, first.report["switched"], first.report["deleted"])
    beside = ingest("index", "rebuild", depot.table, "--no-switch", "--anew", "--workers", "1")
    assert beside.status == 0
    assert "40 documents, as many as in the ledger" in beside.out
    (new,) = [
        one["name"]
        for one in json.loads(ingest("index", "list", "--json").out)["indices"]
        if one["state"] == f"built beside {depot.table}"
    ]
    switched = ingest("index", "switch", depot.table, new)
    assert (0, True) == (switched.status, f"before for {first.report['index']}" in switched.out)
    deleted = ingest("index", "delete", first.report["index"])
    assert f"deleted {first.report['index']}: 40 documents of {depot.table}\n" == deleted.out
    assert 1 == ingest("index", "delete", new).status


def test_what_a_killed_load_left_is_restored_by_name(ingest: Ingest, depot: Depot, opensearch: Any) -> None:
    meta = opensearch.indices.get_mapping(index=depot.table)[depot.table]["mappings"]["_meta"]
    load = {"settings": {"refresh_interval": {"former": "9s", "load": "-1"}}, "holders": {"gone": 1.0}}
    mark = {"_meta": {"ingest_project": {**meta["ingest_project"], "load": load}}}
    opensearch.indices.put_mapping(index=depot.table, body=mark)
    opensearch.indices.put_settings(index=depot.table, body={"index": {"refresh_interval": "-1"}})
    assert "-> ingest index restore" in ingest("doctor").out
    assert f"restored {depot.table}\n" in ingest("index", "restore").out
    settings = opensearch.indices.get_settings(index=depot.table)[depot.table]["settings"]["index"]
    assert "9s" == settings["refresh_interval"]
    assert "No index was left in load mode" in ingest("index", "restore").out


def test_ingest_load_restores_what_it_meets_also_when_all_was_loaded_before(
    ingest: Ingest, tmp_path: Path, opensearch: Any, table: str
) -> None:
    file = write_lines(tmp_path / f"{table}-dump.json", [{"id": f"r{number}"} for number in range(1500)])
    assert 0 == ingest("load", file).status
    meta = opensearch.indices.get_mapping(index=table)[table]["mappings"]["_meta"]["ingest_project"]
    assert {"made_for", "contract"} == meta.keys()
    load = {"settings": {"number_of_replicas": {"former": "1", "load": "0"}}, "holders": {}}
    opensearch.indices.put_mapping(index=table, body={"_meta": {"ingest_project": {**meta, "load": load}}})
    opensearch.indices.put_settings(index=table, body={"index": {"number_of_replicas": "0"}})
    assert "loaded before" in ingest("load", file).out
    settings = opensearch.indices.get_settings(index=table)[table]["settings"]["index"]
    assert "1" == settings["number_of_replicas"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("rebuild", "t", "--alias", "UPPER"), 2, "must be in lower case"),
        (("rebuild", "t", "--entity", "nobody"), 2, "no entity 'nobody'"),
        (("rebuild", "no-such-table"), 1, "no validated records of no-such-table"),
        (("switch", "no-such-table", "no-such-index"), 1, "there is no index no-such-index"),
        (("delete", "no-such-index"), 1, "there is no index no-such-index"),
        (("delete", "*"), 2, "must not contain '*'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_call_says_what_is_wrong(
    ingest: Ingest, words: tuple[str, ...], status: int, said: str
) -> None:
    done = ingest("index", *words)
    assert (status, True) == (done.status, said in done.err), done.err


def test_without_opensearch_it_says_so(bare_ingest: Ingest) -> None:
    done = bare_ingest("index", "list")
    assert (2, True) == (done.status, "OPENSEARCH_URL is not set" in done.err)


def test_remote_indices_are_deleted_only_where_that_is_allowed(
    bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSEARCH_URL", "https://search.invalid")
    done = bare_ingest("index", "delete", "x")
    assert done.status == 1
    assert "INGEST_ALLOW_REMOTE_WRITES" in done.err
