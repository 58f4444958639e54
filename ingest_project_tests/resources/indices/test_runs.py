"""A run of the index stage: one refresh at its end, load mode where it is worth it, blocked indices apart."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import psutil
import pytest

from ingest_project.core.indexing import IndexContract, Keyword
from ingest_project.core.model import KeySchema
from ingest_project.core.outcomes import FAILED, SEALED
from ingest_project.resources import index_destination
from ingest_project.resources.doctor import WARN, examine
from ingest_project.resources.index_keeper import IndexKeeper
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.cli.processes import serving, wait_for
from ingest_project_tests.resources.indices.depot import DAY, NEXT_DAY, Depot, Recorder, records

SLOTS = 16
SETTINGS = ("refresh_interval", "number_of_replicas")


def sixteen_files(depot: Depot, each: int) -> None:
    for number in range(SLOTS):
        depot.drop(records(each, number * each), name=f"{number:02d}")
    chunks = depot.validate()
    assert list(range(SLOTS)) == sorted(chunk.slot for chunk in chunks)


def set_of(opensearch: Any, index: str) -> dict[str, str | None]:
    found = opensearch.indices.get_settings(index=index)
    (one,) = found.values()
    return {name: one["settings"]["index"].get(name) for name in SETTINGS}


def is_in_mode(opensearch: Any, index: str) -> bool:
    return opensearch.indices.exists(index=index) and set_of(opensearch, index)["refresh_interval"] == "-1"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_over_sixteen_slots_makes_one_refresh_at_its_end_and_all_is_seen(
    depot: Depot, opensearch: Any, workers: int
) -> None:
    sixteen_files(depot, 80)
    seen = Recorder()
    with serving(FaultServer(upstream=depot.url, counts=seen)) as server:
        depot.url = server.url
        outcomes = depot.load(workers=workers)
    assert {SEALED} == {outcome.state for outcome in outcomes}
    assert 1 == seen.count("POST", "_refresh")
    assert ("POST", f"{depot.table}/_refresh") == seen.calls[-1]
    assert SLOTS * 80 == opensearch.count(index=depot.table)["count"]
    # Mode on and off are two of each, however many slots and workers there are.
    assert 2 == seen.count("PUT", "_settings")
    assert 2 == seen.count("PUT", "_mapping")
    assert {"refresh_interval": None, "number_of_replicas": "1"} == set_of(opensearch, depot.table)


def test_a_run_that_finds_everything_loaded_refreshes_and_sets_nothing(depot: Depot) -> None:
    sixteen_files(depot, 80)
    depot.load()
    seen = Recorder()
    with serving(FaultServer(upstream=depot.url, counts=seen)) as server:
        depot.url = server.url
        assert {SEALED} == {outcome.state for outcome in depot.load()}
    assert {"GET"} == {method for method, _ in seen.calls}


def test_a_small_load_into_an_index_in_use_leaves_its_refresh_alone(depot: Depot, opensearch: Any) -> None:
    depot.drop(records(1200))
    depot.validate()
    depot.load()
    depot.drop(records(1200, 5000), day=NEXT_DAY)
    depot.validate(NEXT_DAY)
    seen = Recorder()
    with serving(FaultServer(upstream=depot.url, counts=seen)) as server:
        depot.url = server.url
        depot.load(NEXT_DAY)
    assert (0, 0, 1) == tuple(
        seen.count(*call) for call in (("PUT", "_settings"), ("PUT", "_mapping"), ("POST", "_refresh"))
    )
    assert 2400 == opensearch.count(index=depot.table)["count"]


def test_a_large_load_into_an_index_in_use_stops_its_refresh_and_keeps_its_replicas(
    depot: Depot, opensearch: Any
) -> None:
    depot.drop(records(1200))
    depot.validate()
    depot.load()
    depot.turned = {"INGEST_LOAD_MODE_DOCUMENTS": "1000", "INGEST_OPENSEARCH_BATCH_ITEMS": "100"}
    depot.drop(records(1200, 5000), day=NEXT_DAY)
    depot.validate(NEXT_DAY)
    meanwhile: list[dict[str, str | None]] = []

    def look(number: int) -> None:
        meanwhile.append(set_of(opensearch, depot.table))

    with serving(FaultServer(upstream=depot.url, script=look)) as server:
        depot.url = server.url
        depot.load(NEXT_DAY)
    assert {"refresh_interval": "-1", "number_of_replicas": "1"} == meanwhile[0]
    assert {"refresh_interval": None, "number_of_replicas": "1"} == set_of(opensearch, depot.table)


@pytest.mark.parametrize(
    ("when", "count", "expected"), [("never", 1200, 0), ("always", 3, 2), ("auto", 3, 0)]
)
def test_load_mode_is_the_deployments_choice(depot: Depot, when: str, count: int, expected: int) -> None:
    depot.turned = {"INGEST_LOAD_MODE": when}
    depot.drop(records(count))
    depot.validate()
    seen = Recorder()
    with serving(FaultServer(upstream=depot.url, counts=seen)) as server:
        depot.url = server.url
        depot.load()
    assert expected == seen.count("PUT", "_settings")


def test_an_index_that_is_not_ours_keeps_its_settings(depot: Depot, opensearch: Any) -> None:
    opensearch.indices.create(index=depot.table)
    depot.turned = {"INGEST_LOAD_MODE": "always"}
    depot.drop(records(1200))
    depot.validate()
    seen = Recorder()
    with serving(FaultServer(upstream=depot.url, counts=seen)) as server:
        depot.url = server.url
        assert {SEALED} == {outcome.state for outcome in depot.load()}
    assert 0 == seen.count("PUT", "")
    assert {} == opensearch.indices.get_mapping(index=depot.table)[depot.table]["mappings"].get("_meta", {})


@pytest.mark.parametrize("block", ["write", "read_only"])
def test_a_blocked_index_fails_its_own_chunks_clearly_and_stalls_no_other(
    depot: Depot, opensearch: Any, block: str
) -> None:
    blocked, free = f"{depot.table}-blocked", f"{depot.table}-free"
    for place, (name, table) in enumerate((("a", blocked), ("b", free), ("c", blocked), ("d", free))):
        depot.drop(records(300, 1000 * place), name=name, table=table)
    depot.validate()
    depot.turned = {"INGEST_LOAD_MODE": "always"}
    opensearch.indices.create(index=blocked, body={"settings": {"index": {"blocks": {block: True}}}})
    seen = Recorder()
    with serving(FaultServer(upstream=depot.url, counts=seen)) as server:
        depot.url = server.url
        outcomes = depot.load()
    states = {(one.chunk.target, one.state) for one in outcomes}
    assert {(blocked, FAILED), (free, SEALED)} == states
    reasons = {one.reason for one in outcomes if one.state == FAILED}
    assert [True] == [
        blocked in text and "takes no writes until its block is taken away" in text for text in reasons
    ]
    assert 600 == opensearch.count(index=free)["count"]
    assert 0 == opensearch.count(index=blocked)["count"]
    # One request a chunk: nobody waits and asks again.
    assert 2 == seen.count("POST", f"{blocked}/_bulk")


def test_our_own_index_that_is_read_only_stalls_no_other_either(depot: Depot, opensearch: Any) -> None:
    blocked, free = f"{depot.table}-blocked", f"{depot.table}-free"
    for name, table in (("a", blocked), ("b", free)):
        depot.drop(records(1100), name=name, table=table)
    depot.validate()
    depot.load()
    for name, table in (("a", blocked), ("b", free)):
        depot.drop(records(1100, 2000), name=name, table=table, day=NEXT_DAY)
    depot.validate(NEXT_DAY)
    depot.turned = {"INGEST_LOAD_MODE": "always"}
    opensearch.indices.put_settings(index=blocked, body={"index": {"blocks": {"read_only": True}}})
    outcomes = depot.load(NEXT_DAY)
    opensearch.indices.put_settings(index=blocked, body={"index": {"blocks": {"read_only": None}}})
    assert {(blocked, FAILED), (free, SEALED)} == {(one.chunk.target, one.state) for one in outcomes}
    assert 2200 == opensearch.count(index=free)["count"]
    assert {"refresh_interval": None, "number_of_replicas": "1"} == set_of(opensearch, free)
    assert {SEALED} == {one.state for one in depot.load(NEXT_DAY)}
    assert 2200 == opensearch.count(index=blocked)["count"]
    assert {"refresh_interval": None, "number_of_replicas": "1"} == set_of(opensearch, blocked)


def killed_in_load_mode(depot: Depot, opensearch: Any) -> None:
    """A load in a process of its own that is killed with SIGKILL behind its first writes."""
    program = "from ingest_project_tests.resources.indices.depot import child; child()"
    with serving(FaultServer(upstream=depot.url, delay=0.25)) as server:
        words = [sys.executable, "-c", program, server.url, str(depot.home), depot.table]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: server.requests > 3 and is_in_mode(opensearch, depot.table), process)
        process.kill()
        process.communicate()
        assert not psutil.pid_exists(process.pid)
    assert {"refresh_interval": "-1", "number_of_replicas": "0"} == set_of(opensearch, depot.table)


def test_the_next_load_goes_on_behind_a_killed_one_and_restores_the_settings(
    depot: Depot, opensearch: Any
) -> None:
    depot.drop(records(2000))
    depot.validate()
    killed_in_load_mode(depot, opensearch)
    assert {SEALED} == {outcome.state for outcome in depot.load()}
    assert {"refresh_interval": None, "number_of_replicas": "1"} == set_of(opensearch, depot.table)
    assert 2000 == opensearch.count(index=depot.table)["count"]


def test_a_killed_load_is_seen_by_the_doctor_and_restored_without_a_load(
    depot: Depot, opensearch: Any
) -> None:
    depot.drop(records(2000))
    depot.validate()
    killed_in_load_mode(depot, opensearch)
    found = {finding.name: finding for finding in examine(depot.settings, depot.home)}["indices"]
    assert (WARN, True, "ingest index restore") == (found.state, depot.table in found.text, found.advice)
    with IndexKeeper(depot.settings) as keeper:
        assert ["left in load mode"] == [view.state for view in keeper.views() if view.table == depot.table]
        assert depot.table in keeper.restore()
        assert [] == [name for name in keeper.left_over() if name == depot.table]
    assert {"refresh_interval": None, "number_of_replicas": "1"} == set_of(opensearch, depot.table)


def test_a_small_load_restores_what_a_killed_one_left(
    depot: Depot, opensearch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot.drop(records(2000))
    depot.validate()
    killed_in_load_mode(depot, opensearch)
    monkeypatch.setattr(index_destination, "NEW_FROM", 10_000)
    assert {SEALED} == {outcome.state for outcome in depot.load()}
    assert {"refresh_interval": None, "number_of_replicas": "1"} == set_of(opensearch, depot.table)


def strict(keys: KeySchema) -> IndexContract:
    return IndexContract(fields={"id": Keyword()}, dynamic="strict")


def test_the_entitys_contract_reaches_the_index_also_from_worker_processes(
    depot: Depot, opensearch: Any
) -> None:
    depot.spec = replace(depot.spec, index=strict)
    for number in range(2):
        depot.drop(records(24, number * 24), name=str(number))
    depot.validate()
    outcomes = depot.load(workers=2)
    assert (0, 48) == tuple(
        sum(getattr(one.counts, name) for one in outcomes) for name in ("written", "rejected")
    )
    mappings = opensearch.indices.get_mapping(index=depot.table)[depot.table]["mappings"]
    assert ("strict", ["id"]) == (mappings["dynamic"], list(mappings["properties"]))
    assert DAY == outcomes[0].chunk.date
