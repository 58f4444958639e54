"""Knobs: how many processes a load gets where nobody says a number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ingest_project.core.advising import WORKER_BYTES
from ingest_project.resources import knobs as subject
from ingest_project.resources.crew import Crew
from ingest_project.resources.deployments import Settings
from ingest_project.resources.knobs import WORTH_BYTES, Knobs, cores, knobs_of
from ingest_project.resources.policies import BatchingPolicy
from ingest_project_tests.resources.indices.depot import Depot, records

AUTO = Knobs(in_flight=8, memory_bytes=1 << 20, workers=None, cores=8, memory_budget=100 * WORKER_BYTES)


@pytest.mark.parametrize(
    ("chunks", "size", "processes"),
    [
        (0, 0, 1),
        (50, 2 * WORTH_BYTES - 1, 1),
        (50, 2 * WORTH_BYTES, 2),
        (50, 100 * WORTH_BYTES, 8),
        (3, 100 * WORTH_BYTES, 3),
    ],
)
def test_a_load_gets_a_process_for_each_quarter_of_a_gibibyte_and_no_more_than_cores_or_chunks(
    chunks: int, size: int, processes: int
) -> None:
    assert processes == AUTO.crew(chunks, size)


def test_half_of_the_memory_budget_bounds_the_processes() -> None:
    tight = replace(AUTO, memory_budget=6 * WORKER_BYTES)
    assert (3, 3) == (tight.most_workers, tight.crew(50, 100 * WORTH_BYTES))
    assert 1 == replace(AUTO, memory_budget=1).crew(50, 100 * WORTH_BYTES)


def test_a_number_that_somebody_said_counts_whatever_size_and_machine_are() -> None:
    told = replace(AUTO, workers=12, memory_budget=1)
    assert (12, 2) == (told.crew(50, 1), told.crew(2, 1))


def test_the_deployment_asks_for_as_many_as_suit_and_a_number_replaces_that(tmp_path: Path) -> None:
    assert (None, cores()) == ((found := knobs_of(Settings.from_env({}, tmp_path))).workers, found.cores)
    assert 5 == knobs_of(Settings.from_env({"INGEST_WORKERS": "5"}, tmp_path)).workers
    assert 2 == BatchingPolicy(workers=2).knobs()["workers"]
    assert "workers" not in BatchingPolicy().knobs()


@pytest.mark.parametrize(("worth", "processes"), [(1, 2), (WORTH_BYTES, 0)])
def test_a_crew_works_in_as_many_processes_as_the_load_is_worth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worth: int, processes: int
) -> None:
    depot = Depot(url="http://127.0.0.1:9", home=tmp_path, table="small")
    depot.drop(records(20), name="a")
    depot.drop(records(20, 20), name="b")
    chunks = depot.validate()
    assembly = depot.assembly()
    monkeypatch.setattr(subject, "WORTH_BYTES", worth)
    with Crew(replace(assembly, knobs=replace(assembly.knobs, workers=None, cores=2))) as crew:
        assert ["sealed"] * 2 == [outcome.state for outcome in crew.run("validated", chunks)]
        assert processes == crew.processes
