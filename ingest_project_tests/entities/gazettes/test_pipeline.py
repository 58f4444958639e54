"""Gazettes through the whole pipeline on real servers: each is through, or parked for its cause."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
import pytest

from ingest_project.cli import run
from ingest_project.core.bucket_standing import standing
from ingest_project.entities.gazettes.archive import aggregate, unknown
from ingest_project.entities.gazettes.losses import lost
from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.orchestration.buckets import range_tags
from ingest_project.testing.gazette_files import HTML, Gazettes
from ingest_project.testing.running import RunningServer
from ingest_project_tests.entities.gazettes.newsroom import Newsroom, newsroom
from ingest_project_tests.faults.deployed import only_our_warnings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

pytestmark = pytest.mark.slow

MIX = {
    "pdf": 14,
    "docx": 4,
    "odt": 3,
    "txt": 3,
    "txt-cp1252": 1,
    "copy": 2,
    "association": 2,
    "unserved": 1,
    "html": 2,
    "zip": 1,
    "image": 1,
    "broken": 1,
    "scan": 1,
    "empty": 1,
    "missing": 1,
    "altered": 1,
}
GAZETTES = Gazettes(count=sum(MIX.values()), seed="pipeline", mix=MIX, days=40)


@pytest.fixture(scope="module")
def room(
    tmp_path_factory: pytest.TempPathFactory,
    s3: S3Client,
    postgresql: RunningServer,
    opensearch_node: RunningServer,
) -> Iterator[Newsroom]:
    """Filled, not yet listed."""
    home = tmp_path_factory.mktemp("gazettes")
    with newsroom(GAZETTES, home, s3, postgresql, opensearch_node) as made:
        yield made


@pytest.fixture(scope="module")
def through(room: Newsroom) -> Newsroom:
    """All steps were run once."""
    listed = room.listed()
    assert (len(GAZETTES), len(GAZETTES)) == (listed.rows, listed.enrolled.new)
    reports = room.run()
    assert () == tuple(reason for report in reports.values() for reason in report.reasons)
    assert 0 == sum(report.delayed + report.busy for report in reports.values())
    return room


def test_every_gazette_is_through_or_parked_for_its_cause(through: Newsroom) -> None:
    assert through.expected_parked() == through.parked()
    good = {id for id, one in through.made.items() if not one.cause}
    assert good == through.flagged()
    ledger = through.ledger()
    found = standing(ledger.states(COLLECTION.name))
    ledger.close()
    assert (len(GAZETTES), len(good), 0) == (found.total, found.completed, found.open)
    assert 0 == unknown(through.settings())


def test_the_index_holds_each_gazette_or_its_towns_parts(through: Newsroom) -> None:
    found = through.documents(through.prefix)
    expected = Counter({id: len(one.segments) or 1 for id, one in through.made.items() if not one.cause})
    assert expected == Counter(source["document_id"] for source in found.values())
    plain = {id: one for id, one in through.made.items() if not one.cause and not one.segments}
    for source in found.values():
        if (one := plain.get(source["document_id"])) is not None:
            assert one.words == " ".join(source["source_text"].split())


def test_planted_passages_are_found_under_their_subthemes_and_nowhere_else(through: Newsroom) -> None:
    planted = {
        (title, territory)
        for one in through.made.values()
        if not one.cause
        for title, territories in one.passages.items()
        for territory in territories
    }
    found = {
        (title, source["source_territory_id"])
        for name in ("ambiental", "educacao")
        for source in through.documents(through.theme_index(name)).values()
        for title in source["excerpt_subthemes"]
    }
    assert planted == found
    assert planted


def test_every_excerpt_has_a_score(through: Newsroom) -> None:
    found = through.documents(through.theme_index("ambiental")).values()
    assert all(0 < source["excerpt_embedding_score"] <= 1.0001 for source in found)
    assert found


def test_a_second_run_finds_nothing_to_do(through: Newsroom) -> None:
    reports = through.run()
    assert 0 == sum(report.done + report.newly_parked for report in reports.values())
    assert 0 == through.listed("ALL").enrolled.new


def test_a_flag_that_somebody_took_is_set_again_by_listing_and_its_last_step(through: Newsroom) -> None:
    some = sorted(through.flagged())[:3]
    url = through.variables["INGEST_GAZETTES_DATABASE_URL"]
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE gazettes SET processed = false WHERE id = ANY(%s)", [[int(id) for id in some]]
        )
    through.listed()
    reports = through.run()
    assert {"processed": 3} == {name: report.done for name, report in reports.items() if report.done}
    assert set(some) <= through.flagged()


def test_a_years_aggregates_are_made_once(through: Newsroom, s3: S3Client) -> None:
    first = aggregate(through.settings(), 2026)
    again = aggregate(through.settings(), 2026)
    assert ((), first.built, 0) == (first.failed, again.unchanged, again.built)
    prefix = "gazettes/aggregates/"
    listed = s3.list_objects_v2(Bucket=through.variables["INGEST_BUCKET"], Prefix=prefix)
    assert first.built == len(listed["Contents"]) > 0


@pytest.fixture
def ingest(
    through: Newsroom, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any]]:
    """A call of the command line: exit status, and the JSON that it printed or its text."""
    for name, value in through.variables.items():
        monkeypatch.setenv(name, value)

    def call(*words: str) -> tuple[int, Any]:
        status = run(["gazettes", *words])
        out = capsys.readouterr().out
        return status, json.loads(out) if "--json" in words else out

    return call


def test_the_command_line_tells_how_gazettes_stand(
    through: Newsroom, ingest: Callable[..., tuple[int, Any]]
) -> None:
    causes = through.expected_parked()
    status, told = ingest("status", "--month", "2026-01", "--json")
    assert (0, ["2026-01"]) == (status, [one["month"] for one in told["months"]])
    assert told["months"][0]["completed"] == told["stages"]["processed"]["done"]
    status, told = ingest("parked", "--json", "--limit", "3")
    assert (1, 3, causes.total()) == (
        status,
        len(told["gazettes"]),
        sum(one["gazettes"] for one in told["counts"]),
    )
    status, told = ingest("run", "--stage", "texts", "--json")
    assert (0, ["texts"]) == (status, [one["stage"] for one in told["stages"]])
    assert "unsupported type" in ingest("parked")[1]
    assert 2 == ingest("run", "--stage", "nonsense")[0]
    assert 0 == ingest("list", "--mode", "ALL", "--json")[1]["new"]


def test_replay_tries_parked_gazettes_once_more(
    through: Newsroom, ingest: Callable[..., tuple[int, Any]]
) -> None:
    expected = sum(one.cause == "broken file" for one in through.made.values())
    assert (0, "nothing is parked for boredom\n") == ingest("replay", "--cause", "boredom")
    status, told = ingest("replay", "--cause", "broken file", "--json")
    assert (0, "texts") == (status, told["stages"][0]["stage"])
    assert through.expected_parked() == through.parked()
    assert expected


def test_an_index_is_made_anew_without_extracting(
    through: Newsroom, ingest: Callable[..., tuple[int, Any]]
) -> None:
    for index in (through.prefix, through.theme_index("ambiental")):
        before = through.documents(index)
        status, said = ingest("reindex", index, "--delete-old")
        assert (0, True) == (status, f"{len(before)} documents" in said)
        assert before == through.documents(index)
    assert 2 == ingest("reindex", "nonsense")[0]


def test_a_lost_index_is_told_and_made_anew(
    through: Newsroom, ingest: Callable[..., tuple[int, Any]]
) -> None:
    index = through.theme_index("ambiental")
    before = through.documents(index)
    assert () == tuple(lost(through.settings()))
    through.search.indices.delete(index=",".join(through.search.indices.get_alias(name=index)))
    [told] = lost(through.settings())
    assert (index, 0, len(before)) == (told.place, told.holds, told.expected)
    assert f"`ingest gazettes reindex {index}` makes it anew" == told.advice
    assert 0 == ingest("reindex", index)[0]
    assert (before, ()) == (through.documents(index), tuple(lost(through.settings())))


@pytest.mark.dagster
def test_dagster_runs_the_same_steps_over_the_same_ledger(
    through: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in through.variables.items():
        monkeypatch.setenv(name, value)
    with only_our_warnings(), dg.DagsterInstance.ephemeral() as instance:
        definitions = import_module("ingest_project.definitions").defs

        def execute(job: str, **how: Any) -> dg.ExecuteInProcessResult:
            found: dg.ExecuteInProcessResult = definitions.resolve_job_def(job).execute_in_process(
                instance=instance, raise_on_error=False, **how
            )
            assert found.success
            return found

        execute("gazettes_list_all")
        execute("gazettes_run", tags=range_tags(COLLECTION, "2026-01"))
        execute("gazettes_aggregates", partition_key="2026")
        looked = execute("gazettes_standing")
        rows = {
            step.name: instance.fetch_materializations(
                dg.AssetKey(["gazettes", step.name]), limit=100
            ).records
            for step in COLLECTION.steps
        }
    assert {16} == {len({one.partition_key for one in found}) for found in rows.values()}
    checks = {one.check_name: one for one in looked.get_asset_check_evaluations()}
    assert checks["nothing_left_behind"].passed
    assert f"{through.expected_parked().total()} of {len(GAZETTES)}" in str(
        checks["failures_within_limit"].description
    )
    assert through.variables["INGEST_GAZETTES_DATABASE_URL"] not in repr(rows) + repr(checks)


def test_with_a_handler_for_html_exactly_those_gazettes_run(through: Newsroom) -> None:
    pages = {id for id, one in through.made.items() if one.kind == HTML}
    before = through.flagged()
    reports = through.run(INGEST_GAZETTES_TYPES="pdf,doc,docx,odt,rtf,txt,html")
    assert len(pages) == reports["texts"].done == reports["processed"].done
    assert 0 == reports["downloaded"].done
    assert before | pages == through.flagged()


def test_another_extractor_does_all_but_plain_text_once_more(through: Newsroom, tika: RunningServer) -> None:
    given = {"INGEST_GAZETTES_EXTRACTOR": "tika", "INGEST_GAZETTES_TIKA_URL": tika.url}
    read = [one for one in through.made.values() if one.stage not in ("downloaded", "texts")]
    others = [one for one in read if not one.kind.startswith("txt")]
    report = through.run("texts", **given)["texts"]
    assert (len(others), 0) == (report.done, report.delayed)
    assert through.expected_parked() == through.parked()
    again = through.run("texts", **given)["texts"]
    assert (0, len(read)) == (again.done, again.unchanged)
