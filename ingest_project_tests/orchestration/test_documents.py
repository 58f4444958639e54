"""A collection of documents through Dagster: cells are buckets, documents rows; runs, sensor, checks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingest_project.core.documents import Bucket, Delayed, Document, Outcome, Parked
from ingest_project.core.errors import ConfigurationError, TargetMissing
from ingest_project.core.restarting import MOST_RESTARTS, PAUSE_SECONDS
from ingest_project.orchestration.buckets import bucket_partitions, cell, parse_cell, range_tags
from ingest_project.orchestration.document_sensors import build_bucket_sensor
from ingest_project.orchestration.documents import build_collection_defs, build_jobs
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.documents.collection import Loss
from ingest_project.resources.policies import BatchingPolicy, MemoryPolicy, RetryingPolicy
from ingest_project_tests.faults.deployed import only_our_warnings
from ingest_project_tests.orchestration.archive import FILED, READ, SPEC, Archive, done, letter

pytestmark = pytest.mark.dagster

MONTH = "2026-01"
FIRST, SECOND = "a", "d"
"""Territories of the two buckets."""


class Office:
    """The archive, Dagster's definitions over it and an instance that remembers."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self.archive, self.instance, self.now = Archive(home), instance, time.time()
        policies = {"batching": BatchingPolicy(), "retrying": RetryingPolicy(), "memory": MemoryPolicy()}
        self.ingest = IngestResource(home=str(home), **policies)
        with only_our_warnings():
            made = build_collection_defs(self.archive.collection)
            self.defs = dg.Definitions.merge(made, dg.Definitions(resources={"ingest": self.ingest}))
            jobs = build_jobs(self.archive.collection)
            self.sensor = build_bucket_sensor(self.archive.collection, jobs["run"], lambda: self.now)

    def run(self, job: str = "run", tags: dict[str, str] | None = None) -> dg.ExecuteInProcessResult:
        tags = tags if tags is not None else (range_tags(SPEC, MONTH) if job == "run" else {})
        with only_our_warnings():
            return self.defs.resolve_job_def(f"{SPEC.name}_{job}").execute_in_process(
                instance=self.instance, tags=tags, raise_on_error=False
            )

    def asked(self) -> list[dg.RunRequest]:
        with (
            only_our_warnings(),
            dg.build_sensor_context(instance=self.instance, resources={"ingest": self.ingest}) as context,
        ):
            result = self.sensor(context)
        return list(result.run_requests or []) if isinstance(result, dg.SensorResult) else []

    def follow(self) -> list[bool]:
        """Run what the sensor asks for now, as Dagster would; whether each run succeeded."""
        return [self.run(tags=dict(request.tags)).success for request in self.asked()]

    def materialized(self, step: str) -> dict[str, dict[str, object]]:
        """Cell -> metadata of its latest materialization."""
        records = self.instance.fetch_materializations(dg.AssetKey([SPEC.name, step]), limit=100).records
        found: dict[str, dict[str, object]] = {}
        for record in records:
            made = record.asset_materialization
            assert made is not None
            found.setdefault(made.partition or "", {name: one.value for name, one in made.metadata.items()})
        return found

    def checked(self, result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
        return {one.check_name: one for one in result.get_asset_check_evaluations()}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Office(tmp_path, instance)


def cells(*numbers: int) -> set[str]:
    return {f"{MONTH}|{number:02d}" for number in numbers}


def test_keys_are_read_as_they_are_written() -> None:
    bucket = Bucket(collection=SPEC.name, month="2026-11", number=3)
    assert ("2026-11|03", bucket) == (str(cell(bucket)), parse_cell(SPEC, "2026-11|03"))


def test_this_month_has_its_buckets_from_its_first_day_on() -> None:
    keys = bucket_partitions(SPEC).get_partition_keys()
    assert [f"{SPEC.start}|00", f"{SPEC.start}|01"] == [str(key) for key in keys[:2]]
    assert f"{time.strftime('%Y-%m', time.gmtime())}|01" == keys[-1]


def test_a_month_is_checked_before_it_is_used() -> None:
    assert "2026-03" == SPEC.check_month("2026-03")
    for wrong in ("2025-12", "2026-13", "2026", "202603", "2026-3-"):
        with pytest.raises(ConfigurationError, match="is no month: YYYY-MM, from 2026-01 on"):
            SPEC.check_month(wrong)


def test_a_run_takes_a_month_through_all_steps_and_tells_each_cell(office: Office) -> None:
    office.archive.enroll([letter("1"), letter("2"), letter("3", territory=SECOND)])
    assert office.run().success
    for step in (READ, FILED):
        found = office.materialized(step)
        assert cells(0, 1) == set(found)
        assert [3, 3] == [sum(one[name] for one in found.values()) for name in ("done", "dagster/row_count")]
    assert [READ, FILED] == office.archive.opened
    assert (office.archive.home / "metrics" / "letters.read.prom").read_text().endswith("# EOF\n")


def test_a_second_run_does_nothing(office: Office) -> None:
    office.archive.enroll([letter("1"), letter("2")])
    office.run()
    assert office.run().success
    assert 1 == len(office.archive.read.runs) == len(office.archive.filed.runs)
    latest = office.materialized(READ).values()
    assert (0, 2) == (sum(one["done"] for one in latest), sum(one["unchanged"] for one in latest))
    assert not any("mean_seconds" in one for one in latest)


def test_parked_and_delayed_documents_do_not_stop_the_others(office: Office) -> None:
    fates: dict[str, Outcome] = {
        "bad": Parked(cause="broken", detail="page 1", kind="pdf"),
        "late": Delayed(reason="no answer"),
    }
    office.archive.read.decide = lambda one: fates.get(one.id) or done(one)
    office.archive.read.batch = 1
    office.archive.enroll([letter(name) for name in ("bad", "good", "late")])
    assert office.run().success
    [read] = [one for one in office.materialized(READ).values() if one["done"]]
    assert (1, 1, 1, 1) == tuple(read[name] for name in ("done", "parked", "newly_parked", "delayed"))
    assert "| read | broken | 1 |" in str(read["parked_now"])
    assert "| read | no answer |" in str(read["delayed_for"])
    assert [["good"]] == office.archive.filed.runs


def test_what_stops_a_step_makes_its_cells_red_and_leaves_the_others_green(office: Office) -> None:
    office.archive.enroll([letter("1", territory=FIRST), letter("2", territory=SECOND)])

    def decide(one: Document) -> Outcome | TargetMissing:
        return TargetMissing("no such index") if one.bucket.number == 1 else done(one)

    office.archive.read.decide = decide
    result = office.run()
    assert not result.success
    assert cells(0) == set(office.materialized(READ))
    assert {} == office.materialized(FILED)
    failure = result.failure_data_for_node(f"{SPEC.name}__{READ}")
    assert failure is not None
    assert "no such index" in str(failure.error)
    status = office.instance.get_status_by_partition(
        dg.AssetKey([SPEC.name, READ]), sorted(cells(0, 1)), bucket_partitions(SPEC)
    )
    assert ["MATERIALIZED", "FAILED"] == [one.name for one in (status or {}).values() if one]


def test_the_listing_says_what_it_found(office: Office) -> None:
    office.archive.source = [letter("1"), letter("2")]
    assert office.run("list_all").success
    [found] = office.materialized("listed").values()
    assert ("ALL", 2, 2, 0) == tuple(found[name] for name in ("mode", "dagster/row_count", "new", "changed"))


def test_without_a_collection_the_sensor_skips_and_a_run_says_why(office: Office) -> None:
    office.archive.there = False
    assert [] == office.asked()
    result = office.run()
    assert "there are no letters" in str(result.all_events)


def test_the_sensor_asks_for_each_month_with_open_documents_once(office: Office) -> None:
    office.archive.enroll([letter("1"), letter("2", "2026-02"), letter("3", "2026-02", SECOND)])
    asked = office.asked()
    assert ["letters 2026-01", "letters 2026-02"] == [one.tags["ingest/sync"] for one in asked]
    assert [True, True] == office.follow()
    assert [] == office.asked()


def test_what_a_run_left_is_tried_again_minutes_later_and_not_for_ever(office: Office) -> None:
    office.archive.read.decide = lambda one: Delayed(reason="no answer")
    office.archive.enroll([letter("1")])
    assert [True] == office.follow()
    for _ in range(MOST_RESTARTS):
        assert [] == office.asked()
        office.now = time.time() + PAUSE_SECONDS
        assert [True] == office.follow()
        office.now = time.time()
    office.now = time.time() + PAUSE_SECONDS
    assert [] == office.asked()
    office.archive.enroll([letter("2")])
    assert 1 == len(office.asked())


def test_the_standing_look_lists_what_is_parked_and_judges_it(office: Office) -> None:
    fates = {"bad": Parked(cause="broken", detail="page 1", kind="pdf")}
    office.archive.read.decide = lambda one: fates.get(one.id) or done(one)
    office.archive.enroll([letter(name) for name in ("bad", "good")])
    office.run()
    office.archive.unknown = 3
    office.archive.lost = [Loss(place="letters", holds=1, expected=2, advice="look for it")]
    result = office.run("standing")
    [parked] = office.materialized("parked").values()
    assert 1 == parked["dagster/row_count"]
    assert "| read | broken | pdf | a | 1 |" in str(parked["by_cause"])
    assert "| bad | read | a | broken | page 1 |" in str(parked["documents"])
    checks = office.checked(result)
    names = ["failures_within_limit", "no_cause_stands_out", "nothing_left_behind", "nothing_was_lost"]
    assert names == sorted(checks)
    assert not any(check.passed for check in checks.values())
    assert "1 of 2 documents are parked, 50.00%" == checks["failures_within_limit"].description
    assert "3 rows of the source" in str(checks["nothing_left_behind"].description)
    assert "1 parked: broken" == checks["no_cause_stands_out"].description
    assert "letters holds 1 of 2 documents: look for it" == checks["nothing_was_lost"].description


def test_the_checks_pass_where_all_is_well(office: Office) -> None:
    office.archive.enroll([letter("1")])
    office.run()
    assert all(check.passed for check in office.checked(office.run("standing")).values())
