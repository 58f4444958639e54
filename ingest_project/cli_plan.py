"""`ingest plan PATH...`: what loading these files would cost and how long it would take, by each lane; what
several hosts would take is in cli_plan_hosts."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest_project.cli_plan_api import entities_of, plan_entities
from ingest_project.cli_plan_hosts import Question, Wanted, answer_fleet, cargo_of, host_options
from ingest_project.cli_plan_lanes import show_lanes, show_outlook
from ingest_project.core.errors import ConfigurationError, TargetMissing

if TYPE_CHECKING:
    from ingest_project.core.experience import Learned
    from ingest_project.resources.deployments import Settings
    from ingest_project.resources.estimating import Estimate
    from ingest_project.resources.lanes import Assumptions
    from ingest_project.resources.prices import Prices


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--table", metavar="T", help="Table for all files.  [default: from each file's name]")
@click.option(
    "--pattern", default="*", metavar="P", show_default=True, help="Names of the files in a folder or prefix."
)
@click.option("--key", metavar="K", help="Key of the tables.  [default: asked of each table]")
@click.option(
    "--prices",
    "price_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="F",
    help="JSON file with prices of your own.",
)
@click.option(
    "--items-per-second",
    type=click.FloatRange(min=1),
    metavar="N",
    help="Items that this client sends or prepares a second.",
)
@click.option(
    "--start-units",
    type=click.IntRange(1),
    metavar="N",
    help="Write units a second that the on-demand table takes now.",
)
@click.option(
    "--provisioned-units", type=click.IntRange(1), metavar="N", help="Write units of a provisioned table."
)
@click.option(
    "--write-units", type=click.IntRange(1), metavar="N", help="Most write units a second of a bulk put."
)
@click.option("--deadline", metavar="T", help="Time in which all must be done: 90s, 45m, 2h, 1h30m.")
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", help="As for `ingest load`.")
@click.option("--exact", is_flag=True, help="Read large files whole, too.")
@click.option("--entity", metavar="E", help="Whose files they are.  [default: messages]")
@click.option("--keep-days", type=click.FloatRange(min=0), metavar="D", help="Days that objects stay in S3.")
@click.option(
    "--rows",
    type=click.IntRange(0),
    metavar="N",
    help="Rows to load, without files; of an API: of each entity.",
)
@host_options
@click.option("--openmetrics", is_flag=True, help="Of an API: print the plan's numbers as OpenMetrics text.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(
    paths: tuple[str, ...],
    table: str | None,
    pattern: str,
    key: str | None,
    price_file: Path | None,
    deadline: str | None,
    workers: int | None,
    exact: bool,
    entity: str | None,
    rows: int | None,
    openmetrics: bool,
    as_json: bool,
    **assumed: float | None,
) -> int:
    """What loading these files would take: rows, requests, money, memory, time, workers; and each lane into
    DynamoDB.

    Reads each file, of a large one its beginning and spots, and a sample of its records; writes nothing.

    In place of files, PATH may name entities of the warehouse API (wms.allocation): what reading them whole
    would take, and whether the quota allows it by the deadline (else the exit status is 1).

    With --hosts, or --rows and no PATH: what several hosts would take, and how many a deadline needs.
    """
    seconds = parse_duration(deadline) if deadline else None
    if entities := entities_of(paths):
        form = "openmetrics" if openmetrics else "json" if as_json else "text"
        return plan_entities(entities, deadline=seconds, workers=workers, rows=rows, form=form)
    wanted = Wanted.take(assumed)
    if not paths and rows is None:
        raise click.UsageError("name files, or say how many --rows there would be")
    asked = _Asked(
        paths=paths,
        table=table or "",
        pattern=pattern,
        key=key,
        price_file=price_file,
        deadline=seconds,
        workers=workers,
        entity=entity,
        exact=exact,
        as_json=as_json,
        assumed=assumed,
    )
    if not paths or wanted.hosts:
        return _plan_fleet(asked, wanted, rows)
    return _plan_files(asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The options of `ingest plan` for files."""

    paths: tuple[str, ...]
    table: str
    pattern: str
    key: str | None
    price_file: Path | None
    deadline: float | None
    workers: int | None
    entity: str | None
    exact: bool
    as_json: bool
    assumed: dict[str, float | None]

    @property
    def prices(self) -> Prices:
        from ingest_project.resources.prices import PRICES, read_prices

        return read_prices(self.price_file) if self.price_file else PRICES

    @property
    def told(self) -> float | None:
        """The client's rate, where its user knows it."""
        return self.assumed["items_per_second"]


def _plan_fleet(asked: _Asked, wanted: Wanted, rows: int | None) -> int:
    """What these files, or so many rows, would take on several hosts."""
    from ingest_project.api import DUMPS
    from ingest_project.resources.deployments import load_settings
    from ingest_project.resources.past import run_rate_of

    settings = load_settings()
    tables = {asked.table} if asked.table else set()
    found = None
    if asked.paths:
        found = _estimate(asked, settings)
        tables |= {file.table for file in found.files if file.table}
    learned = run_rate_of(settings, asked.entity or DUMPS, tables) if asked.told is None else None
    question = Question(
        settings=settings,
        prices=asked.prices,
        deadline=asked.deadline,
        rate=asked.told,
        learned=learned,
        tables=tables,
        assumed=_assumptions(asked.assumed),
    )
    answer_fleet(cargo_of(rows, wanted.row_bytes, found), wanted, question, as_json=asked.as_json)
    return 1 if found is not None and any(file.error for file in found.files) else 0


def _plan_files(asked: _Asked) -> int:
    """What these files would take on this machine, and by each lane."""
    from ingest_project.resources.deployments import load_settings
    from ingest_project.resources.knobs import knobs_of
    from ingest_project.resources.lanes import compare
    from ingest_project.resources.outlook import ASSUMED, TOLD, outlook
    from ingest_project.resources.prices import QUOTAS

    settings, prices = load_settings(), asked.prices
    knobs = knobs_of(settings)
    knobs = replace(knobs, workers=asked.workers or knobs.workers)
    assumptions = _assumptions(asked.assumed)
    found = _estimate(asked, settings)
    told = asked.told is not None
    past = None if told else _past(settings, asked.entity, found)
    if past is not None:
        likely = past.rate.likely
        assumptions = replace(assumptions, items_per_second=likely, prepare_per_second=likely)
    bounds = TOLD if told else past.bounds if past else ASSUMED
    expected = outlook(found, knobs, assumptions, QUOTAS, bounds=bounds, deadline=asked.deadline)
    lanes = compare(found.volume, prices, QUOTAS, assumptions, settings.region)
    if asked.as_json:
        document = {
            "outlook": asdict(expected),
            "learned": asdict(past) if past else None,
            "lanes": [asdict(lane) for lane in lanes],
            "assumptions": asdict(assumptions),
            "prices": asdict(prices),
            "quotas": asdict(QUOTAS),
            **_of_files(found),
        }
        click.echo(json.dumps(document, indent=2))
    else:
        show_outlook(expected, past)
        show_lanes(found, lanes, prices, assumptions, QUOTAS.as_of, settings.region)
    return 1 if any(file.error for file in found.files) else 0


def _of_files(found: Estimate) -> dict[str, Any]:
    return {
        "volume": asdict(found.volume),
        "files": [asdict(file) for file in found.files],
        "notes": list(found.notes),
    }


def _assumptions(given: dict[str, float | None]) -> Assumptions:
    from ingest_project.resources.lanes import Assumptions

    words: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if "items_per_second" in words:
        words["prepare_per_second"] = words["items_per_second"]
    if "write_units" in words:
        words["put_units"] = words.pop("write_units")
    return Assumptions(**words)


def _estimate(asked: _Asked, settings: Settings) -> Estimate:
    from ingest_project.api import DUMPS, entity_spec
    from ingest_project.resources.assembly import Assembly
    from ingest_project.resources.connect import s3_client
    from ingest_project.resources.deployments import parse_key_schema
    from ingest_project.resources.estimating import Estimator
    from ingest_project.resources.importing import find_files
    from ingest_project.resources.knobs import knobs_of
    from ingest_project.resources.reading import source_of
    from ingest_project.resources.sampling import WHOLE, SampledSource
    from ingest_project.sources.dumps import Stores
    from ingest_project.sources.stores import BLOCK

    try:
        files = find_files(asked.paths, settings, asked.pattern)
    except TargetMissing as error:
        raise ConfigurationError(str(error)) from error
    spec = entity_spec(asked.entity or DUMPS)
    assembly = Assembly(settings=settings, spec=spec, owner="plan", knobs=knobs_of(settings))
    with assembly.engine() as engine:
        estimator = Estimator(
            spec=spec,
            source=SampledSource(
                source_of(spec, settings),
                Stores(lambda: s3_client(settings), BLOCK),
                whole=None if asked.exact else WHOLE,
            ),
            ask=lambda name: engine.keys_of(name, None),
            key=parse_key_schema(asked.key, "--key") if asked.key else None,
            table=asked.table,
        )
        return estimator.estimate(files)


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def parse_duration(text: str) -> float:
    """Seconds of ``90s``, ``45m``, ``2h`` or ``1h30m``; a bare number is seconds."""
    found = _DURATION.fullmatch(text.strip())
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + seconds
    if total <= 0:
        raise click.UsageError(f"--deadline {text}: write it as 90s, 45m, 2h or 1h30m")
    return float(total)


def _past(settings: Settings, entity: str | None, found: Estimate) -> Learned | None:
    """The rate of earlier loads of the entity; of dumps of any table, of loads into these tables."""
    from ingest_project.api import DUMPS
    from ingest_project.resources.past import learned_of

    return learned_of(settings, entity or DUMPS, {file.table for file in found.files if file.table})
