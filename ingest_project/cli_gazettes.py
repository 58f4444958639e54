"""`ingest gazettes`: the collection of gazettes from the command line: listed, run, looked at, made anew."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ingest_project.core.documents import Bucket
    from ingest_project.core.staging import StageReport
    from ingest_project.resources.deployments import Settings
    from ingest_project.resources.documents.desk import Again, BucketRun, Desk

LINE_SECONDS = 2.0
SHOWN = 20
COUNTS = ("done", "unchanged", "waiting", "parked", "delayed", "busy")
MONTH = click.option("--month", "months", multiple=True, metavar="M", help="Of this month alone, YYYY-MM.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def gazettes() -> None:
    """Official gazettes: rows of PostgreSQL and files in S3 to texts, segments, indices and excerpts."""


@gazettes.command(name="list")
@click.option(
    "--mode", type=click.Choice(["DAILY", "ALL", "UNPROCESSED"]), default="DAILY", show_default=True
)
@JSON
def list_gazettes(mode: str, as_json: bool) -> None:
    """Read the database's rows into the ledger; what is new or has changed is open then."""
    from ingest_project.entities.gazettes.archive import enroll

    found = enroll(_settings(), mode, _say)
    enrolled = found.enrolled
    counts = {"new": enrolled.new, "changed": enrolled.changed, "unchanged": enrolled.unchanged}
    if as_json:
        click.echo(json.dumps({"mode": mode, "rows": found.rows, **counts}, indent=2))
        return
    words = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    click.echo(f"{found.rows:,} rows in {found.seconds:,.1f} s: {words}")


@gazettes.command(name="run")
@click.option("--stage", "steps", multiple=True, metavar="S", help="This stage alone; can be repeated.")
@MONTH
@JSON
def run_gazettes(steps: tuple[str, ...], months: tuple[str, ...], as_json: bool) -> int:
    """Take gazettes through all stages, as far as they are due.

    Exit status: 0 nothing is left to do, 1 a stage stopped or some gazettes did not work out this time.
    """
    from ingest_project.entities.gazettes.spec import COLLECTION

    wanted = [COLLECTION.step(name).name for name in steps] or [step.name for step in COLLECTION.steps]
    with _desk() as desk:
        return _worked(desk, wanted, _buckets(desk, months), as_json)


@gazettes.command(name="replay")
@click.option("--cause", "causes", multiple=True, required=True, metavar="C", help="Parked for this cause.")
@MONTH
@JSON
def replay_gazettes(causes: tuple[str, ...], months: tuple[str, ...], as_json: bool) -> int:
    """Try parked gazettes once more, although nothing that parked them has changed, and take them on.

    Gazettes whose handler, content or settings have changed need no replay: `run` takes them.
    """
    from ingest_project.entities.gazettes.spec import COLLECTION
    from ingest_project.resources.documents.runner import parked_for

    with _desk() as desk:
        known = desk.books.parked_counts(COLLECTION.name)
        stages = {one.stage.partition("/")[0] for one in known if one.cause in causes}
        first = next((step.name for step in COLLECTION.steps if step.name in stages), None)
        if first is None:
            click.echo(f"nothing is parked for {', '.join(causes)}")
            return 0
        steps = [step.name for step in COLLECTION.from_step(first)]
        return _worked(desk, steps, _buckets(desk, months), as_json, parked_for(*causes))


@gazettes.command(name="status")
@MONTH
@JSON
def gazettes_status(months: tuple[str, ...], as_json: bool) -> int:
    """How many gazettes of each month are through, parked and open; of one month, stage by stage.

    Exit status 1 when some are open.
    """
    from ingest_project.core.bucket_standing import by_month
    from ingest_project.entities.gazettes.spec import COLLECTION

    with _desk() as desk:
        found = by_month(desk.books.states(COLLECTION.name))
        chosen = {month: one for month, one in found.items() if not months or month in months}
        stages = _stage_counts(desk, list(chosen)) if months else {}
    rows = [
        {
            "month": month,
            "total": one.total,
            "completed": one.completed,
            "parked": one.failed,
            "open": one.open,
        }
        for month, one in chosen.items()
    ]
    if as_json:
        click.echo(json.dumps({"months": rows, "stages": stages}, indent=2))
    else:
        _table("gazettes", rows)
        _table("stages", [{"stage": stage, **counts} for stage, counts in stages.items()])
    return 1 if any(one.open for one in chosen.values()) else 0


@gazettes.command(name="parked")
@click.option("--stage", metavar="S", help="By this stage.")
@click.option("--cause", "causes", multiple=True, metavar="C", help="For this cause; can be repeated.")
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="Gazettes shown.")
@JSON
def parked_gazettes(stage: str | None, causes: tuple[str, ...], limit: int, as_json: bool) -> int:
    """Gazettes that wait for a handler or another file: counted by cause, type and territory, and by name.

    Exit status 1 when there are some.
    """
    from ingest_project.entities.gazettes.spec import COLLECTION

    with _desk() as desk:
        counts = [
            one
            for one in desk.books.parked_counts(COLLECTION.name)
            if stage in (None, one.stage) and (not causes or one.cause in causes)
        ]
        named = desk.books.parked(COLLECTION.name, stage=stage, causes=causes, limit=limit)
    sums = [
        {
            "stage": one.stage,
            "cause": one.cause,
            "type": one.kind,
            "territory": one.group,
            "gazettes": one.documents,
        }
        for one in counts
    ]
    rows = [
        {"gazette": one.id, "stage": one.stage, "cause": one.parked.cause, "detail": one.parked.detail}
        for one in named
    ]
    if as_json:
        click.echo(json.dumps({"counts": sums, "gazettes": rows}, indent=2))
    else:
        _table("by cause", sums)
        _table("gazettes", rows)
    return 1 if sums else 0


@gazettes.command(name="reindex")
@click.argument("index")
@click.option("--anew", is_flag=True, help="Begin another index although one was begun.")
@click.option("--delete-old", is_flag=True, help="Delete the index that was in use.")
@click.option("--fewer", is_flag=True, help="Move the alias although the new index holds less.")
def reindex_gazettes(index: str, anew: bool, delete_old: bool, fewer: bool) -> None:
    """Make INDEX (the gazettes', or a theme's) anew beside the one in use; then its alias moves.

    Nothing is extracted again. An interrupted call is gone on with by the same call.
    """
    from ingest_project.entities.gazettes.remaking import Remaking, remake

    how = Remaking(anew=anew, delete_old=delete_old, fewer=fewer)
    done = remake(_settings(), index, how, _say)
    click.echo(
        f"{done.alias} stands for {done.index}: {done.documents:,} documents, {done.written:,} gazettes "
        f"written in {done.seconds:,.1f} s"
    )


@gazettes.command(name="aggregates")
@click.option("--year", "years", type=int, multiple=True, help="This year alone.  [default: the current one]")
@click.option("--again", is_flag=True, help="Make also what has not changed.")
@JSON
def aggregate_gazettes(years: tuple[int, ...], again: bool, as_json: bool) -> int:
    """Bring the files of XML by town and state up to date."""
    from dataclasses import asdict

    from ingest_project.entities.gazettes.archive import aggregate

    settings = _settings()
    made = [aggregate(settings, year, again=again) for year in years or (time.gmtime().tm_year,)]
    if as_json:
        click.echo(json.dumps({"years": [asdict(one) for one in made]}, indent=2))
    for one in () if as_json else made:
        click.echo(
            f"{one.year}: {one.built:,} files made, {one.unchanged:,} unchanged, {one.gazettes:,} texts"
        )
        for line in one.failed:
            click.echo(f"failed: {line}", err=True)
    return 1 if any(one.failed for one in made) else 0


def _worked(
    desk: Desk, steps: Sequence[str], buckets: Sequence[Bucket], as_json: bool, again: Again | None = None
) -> int:
    """Run steps one after the other and tell what they did."""
    from ingest_project.resources.documents.runner import never

    runs: list[BucketRun] = []
    for step in steps:
        # What the steps before have parked once more is not tried a third time.
        chosen, again = again or never, None
        runs += desk.run(step, buckets, _Line(_say), again=chosen)
    stopped = [f"{one.bucket.month}|{one.bucket.number:02d} {one.stopped}" for one in runs if one.stopped]
    rows = _sums([report for one in runs for report in one.reports])
    if as_json:
        click.echo(json.dumps({"stages": rows, "stopped": stopped}, indent=2))
    else:
        _table("", rows)
    for line in stopped[:SHOWN]:
        click.echo(f"stopped: {line}", err=True)
    return 1 if stopped or any(row["delayed"] for row in rows) else 0


def _sums(reports: Sequence[StageReport]) -> list[dict[str, Any]]:
    """One row a stage."""
    rows: dict[str, dict[str, Any]] = {}
    for one in reports:
        row = rows.setdefault(one.stage, {"stage": one.stage, **dict.fromkeys(COUNTS, 0), "seconds": 0.0})
        for name in COUNTS:
            row[name] += getattr(one, name)
        row["seconds"] = round(row["seconds"] + one.seconds, 3)
    return list(rows.values())


class _Line:
    """A line every two seconds."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self._last = write, time.monotonic()

    def __call__(self, report: StageReport) -> None:
        if time.monotonic() - self._last >= LINE_SECONDS:
            self._last = time.monotonic()
            words = (
                f"{report.seen:,} of {report.total:,}, {report.parked:,} parked, {report.delayed:,} delayed"
            )
            self._write(f"{report.stage}: {words}")


def _buckets(desk: Desk, months: Sequence[str]) -> list[Bucket]:
    """All buckets of these months; of every month that has gazettes where none is named."""
    from ingest_project.core.bucket_standing import by_month

    spec = desk.spec
    chosen = [spec.check_month(month) for month in months] or list(by_month(desk.books.states(spec.name)))
    return [bucket for month in sorted(chosen) for bucket in spec.buckets(month)]


def _stage_counts(desk: Desk, months: Sequence[str]) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    for month in months:
        for stage, counts in desk.books.stage_counts(desk.spec.name, month).items():
            row = sums.setdefault(stage, dict.fromkeys(counts, 0))
            for name, count in counts.items():
                row[name] += count
    return sums


def _table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    from ingest_project.cli_show import table

    if rows:
        columns = [(name, isinstance(value, int | float)) for name, value in rows[0].items()]
        table(title, columns, [[_cell(value) for value in row.values()] for row in rows])


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _desk() -> Desk:
    from ingest_project.entities.gazettes.archive import open_desk

    settings = _settings()
    settings.gazettes.require()
    return open_desk(settings)


def _settings() -> Settings:
    from ingest_project.resources.deployments import load_settings

    return load_settings()


def _say(text: str) -> None:
    click.echo(text, err=True)
