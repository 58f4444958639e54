"""Rebuild beside and switch: the alias moves only when all agrees, and what is not ours stays as it is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest_project.core.entity import rebuild_stage
from ingest_project.core.errors import PermanentFailure
from ingest_project.core.indexing import IndexContract, Keyword
from ingest_project.core.model import KeySchema
from ingest_project.core.outcomes import SEALED
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.index_keeper import IndexKeeper
from ingest_project.resources.rebuilding import Rebuilder, RebuildOptions, Rebuilt
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.cli.processes import serving, wait_for
from ingest_project_tests.resources.indices.depot import DAY, NEXT_DAY, Depot, Recorder, records

OLD, NEW = 1_795_000_000.0, 1_795_000_060.0


def rebuilder(depot: Depot, wall: float = NEW, **options: Any) -> Rebuilder:
    return Rebuilder(
        depot.spec,
        depot.settings,
        depot.table,
        RebuildOptions(**options),
        log=lambda text: None,
        wall=lambda: wall,
    )


def behind(opensearch: Any, alias: str) -> list[str]:
    return sorted(opensearch.indices.get_alias(name=alias)) if opensearch.indices.exists(index=alias) else []


def all_of(opensearch: Any, index: str) -> dict[str, Any]:
    found = opensearch.search(index=index, body={"size": 5000, "query": {"match_all": {}}})["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in found}


def stages(depot: Depot) -> set[str]:
    ledger = SqlLedger(depot.settings.ledger_url)
    try:
        return {row.stage for row in ledger.status()}
    finally:
        ledger.close()


@pytest.fixture
def loaded(depot: Depot, opensearch: Any) -> Depot:
    """Two days are in the index in use, one record of the first in a newer version of the second; behind an
    alias."""
    depot.drop(records(300))
    depot.drop(records(300, 299, newer=True), day=NEXT_DAY)
    for day in (DAY, NEXT_DAY):
        depot.validate(day)
    made = rebuilder(depot, OLD).rebuild()
    assert (made.switched, made.former, made.documents) == (True, "", 599)
    return depot


def test_a_new_index_takes_the_place_of_the_one_in_use_in_one_step(loaded: Depot, opensearch: Any) -> None:
    (old,) = behind(opensearch, loaded.table)
    before = all_of(opensearch, loaded.table)
    seen = Recorder()
    with serving(FaultServer(upstream=loaded.url, counts=seen)) as server:
        loaded.url = server.url
        made = rebuilder(loaded).rebuild()
    assert (loaded.table, f"{loaded.table}-20261118t110740z", 599, True, old, False, 0) == (
        made.alias,
        made.index,
        made.documents,
        made.switched,
        made.former,
        made.deleted,
        made.late,
    )
    assert 50 == made.compared
    assert 1 == seen.count("POST", "_aliases")
    assert [made.index] == behind(opensearch, loaded.table)
    assert before == all_of(opensearch, loaded.table)
    assert opensearch.indices.exists(index=old)


def test_after_the_switch_the_ledger_knows_the_new_index_and_nothing_is_sent_again(loaded: Depot) -> None:
    rebuilder(loaded).rebuild()
    assert {"validated", "index"} == stages(loaded)
    seen = Recorder()
    with serving(FaultServer(upstream=loaded.url, counts=seen)) as server:
        loaded.url = server.url
        outcomes = [*loaded.load(), *loaded.load(NEXT_DAY)]
    assert {(SEALED, 0)} == {(one.state, one.fresh.sent) for one in outcomes}
    assert 0 == seen.count("POST", "_bulk")
    assert 599 == sum(one.counts.written for one in outcomes)


def test_the_old_index_is_deleted_on_wish_alone(loaded: Depot, opensearch: Any) -> None:
    (old,) = behind(opensearch, loaded.table)
    assert rebuilder(loaded, delete_old=True).rebuild().deleted
    assert not opensearch.indices.exists(index=old)


def test_an_index_with_the_aliass_name_is_refused_before_anything_is_loaded(
    depot: Depot, opensearch: Any
) -> None:
    depot.drop(records(30))
    depot.validate()
    depot.load()
    with pytest.raises(PermanentFailure, match=r"no alias can have its name while it stands. --delete-old"):
        rebuilder(depot).rebuild()
    assert [depot.table] == sorted(opensearch.indices.get(index=f"{depot.table}*"))
    made = rebuilder(depot, delete_old=True).rebuild()
    assert (True, depot.table, True) == (made.switched, made.former, made.deleted)
    assert [made.index] == behind(opensearch, depot.table)
    assert 30 == opensearch.count(index=depot.table)["count"]


def test_it_goes_to_an_alias_of_ones_own_and_leaves_the_daily_loads_where_they_go(
    depot: Depot, opensearch: Any
) -> None:
    depot.drop(records(30))
    depot.validate()
    depot.load()
    alias = f"{depot.table}-search"
    made = rebuilder(depot, alias=alias).rebuild()
    assert [made.index] == behind(opensearch, alias)
    assert rebuild_stage(made.index) in stages(depot)
    assert {0} == {one.fresh.sent for one in depot.load()}


@pytest.mark.parametrize("foreign", ["an index", "an alias"])
def test_what_is_not_ours_is_neither_moved_nor_deleted(depot: Depot, opensearch: Any, foreign: str) -> None:
    name = depot.table if foreign == "an index" else f"{depot.table}-theirs"
    opensearch.indices.create(index=name)
    if foreign == "an alias":
        opensearch.indices.put_alias(index=name, name=depot.table)
    depot.drop(records(30))
    depot.validate()
    with pytest.raises(PermanentFailure, match=r"was not made here .* left as it is"):
        rebuilder(depot, delete_old=True).rebuild()
    assert [name] == sorted(opensearch.indices.get(index=f"{depot.table}*"))
    with IndexKeeper(depot.settings) as keeper, pytest.raises(PermanentFailure, match="left as it is"):
        keeper.delete(name)
    assert opensearch.indices.exists(index=name)


@pytest.mark.parametrize("wrong", ["one more", "one less", "one altered"])
def test_the_alias_stays_when_the_new_index_is_not_what_was_validated(
    loaded: Depot, opensearch: Any, wrong: str
) -> None:
    before = behind(opensearch, loaded.table)
    made = rebuilder(loaded, switch=False).rebuild()
    assert (False, before) == (made.switched, behind(opensearch, loaded.table))
    if wrong == "one more":
        opensearch.index(index=made.index, id="stranger", body={})
    elif wrong == "one less":
        opensearch.delete(index=made.index, id="r7")
    else:
        for number in range(300):
            opensearch.index(index=made.index, id=f"r{number}", body={"id": f"r{number}", "n": -1})
    said = "do not read back as they were" if wrong == "one altered" else r"the ledger says 599"
    with pytest.raises(PermanentFailure, match=said):
        rebuilder(loaded).switch(made.index)
    assert before == behind(opensearch, loaded.table)


def test_the_alias_stays_when_the_index_in_use_holds_more(loaded: Depot, opensearch: Any) -> None:
    (old,) = behind(opensearch, loaded.table)
    opensearch.index(index=old, id="by-hand", body={"n": 1})
    with pytest.raises(PermanentFailure, match=r"holds 600 documents, .* 599: it is not moved"):
        rebuilder(loaded).rebuild()
    assert [old] == behind(opensearch, loaded.table)
    made = rebuilder(loaded, fewer=True).rebuild()
    assert [made.index] == behind(opensearch, loaded.table)


def test_chunks_that_come_meanwhile_are_asked_for_or_loaded_behind(loaded: Depot, opensearch: Any) -> None:
    made = rebuilder(loaded, switch=False).rebuild()
    later = "2026-11-04"
    loaded.drop(records(10, 5000), day=later)
    loaded.validate(later)
    loaded.load(later)
    with pytest.raises(PermanentFailure, match=r"1 of 3 chunks are not in .* goes on with it"):
        rebuilder(loaded).switch(made.index)
    again = rebuilder(loaded, OLD + 3600).rebuild()
    assert (made.index, 609) == (again.index, again.documents)


def test_a_rebuild_that_was_killed_goes_on_with_the_same_index(loaded: Depot, opensearch: Any) -> None:
    program = "from ingest_project_tests.resources.indices.test_rebuilding import child; child()"
    with serving(FaultServer(upstream=loaded.url, delay=0.2)) as server:
        words = [sys.executable, "-c", program, server.url, str(loaded.home), loaded.table]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: server.requests > 3, process)
        process.kill()
        process.communicate()
    (old,) = behind(opensearch, loaded.table)
    (begun,) = [name for name in opensearch.indices.get(index=f"{loaded.table}*") if name != old]
    made = rebuilder(loaded, NEW + 3600).rebuild()
    assert (begun, 599, True) == (made.index, made.documents, made.switched)
    assert "-1" != opensearch.indices.get_settings(index=begun)[begun]["settings"]["index"].get(
        "refresh_interval"
    )


def child() -> None:
    """A rebuild that is to be killed: ``url home table``."""
    url, home, table = sys.argv[1:4]
    turned = {"INGEST_OPENSEARCH_BATCH_ITEMS": "10", "INGEST_IN_FLIGHT": "1"}
    depot = Depot(url=url, home=Path(home), table=table, turned=turned)
    rebuilder(depot).rebuild()


def test_one_that_was_given_up_is_deleted_with_what_the_ledger_had_of_it(
    loaded: Depot, opensearch: Any
) -> None:
    made = rebuilder(loaded, switch=False).rebuild()
    assert rebuild_stage(made.index) in stages(loaded)
    with IndexKeeper(loaded.settings) as keeper:
        view = next(view for view in keeper.views() if view.name == made.index)
        assert f"built beside {loaded.table}" == view.state
        assert 599 == keeper.delete(made.index).documents
        with pytest.raises(PermanentFailure, match="stands for it"):
            keeper.delete(behind(opensearch, loaded.table)[0])
    assert {"validated", "index"} == stages(loaded)
    assert 1 == len(behind(opensearch, loaded.table))


def as_keyword(keys: KeySchema) -> IndexContract:
    return IndexContract(fields={"n": Keyword()})


def test_a_type_that_no_index_changes_is_changed_by_a_rebuild(loaded: Depot, opensearch: Any) -> None:
    loaded.spec = replace(loaded.spec, index=as_keyword)
    loaded.drop(records(3, 9000), day="2026-11-05")
    loaded.validate("2026-11-05")
    (outcome,) = loaded.load("2026-11-05")
    assert f"`ingest index rebuild {loaded.table}`" in outcome.reason
    made: Rebuilt = rebuilder(loaded).rebuild()
    found = opensearch.indices.get_mapping(index=loaded.table)[made.index]["mappings"]["properties"]
    assert ("keyword", 602) == (found["n"]["type"], made.documents)
    assert {SEALED} == {one.state for one in loaded.load("2026-11-05")}


def test_a_rebuild_by_several_processes_is_the_same(loaded: Depot, opensearch: Any) -> None:
    before = all_of(opensearch, loaded.table)
    made = rebuilder(loaded, workers=2).rebuild()
    assert (before, 599) == (all_of(opensearch, loaded.table), made.documents)


def test_a_table_without_validated_records_is_said_so(depot: Depot) -> None:
    with pytest.raises(PermanentFailure, match="no validated records"):
        rebuilder(depot).rebuild()
