"""`ingest plan PATH...`: what loading these files would cost and how long it would take, by each lane."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest_project.cli_plan_api import entities_of, plan_entities
from ingest_project.core.errors import ConfigurationError, TargetMissing

if TYPE_CHECKING:
    from ingest_project.core.experience import Learned
    from ingest_project.core.model import KeySchema
    from ingest_project.resources.deployments import Settings
    from ingest_project.resources.estimating import Estimate
    from ingest_project.resources.lanes import Assumptions, Lane
    from ingest_project.resources.outlook import Outlook
    from ingest_project.resources.prices import Price, Prices


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
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
@click.option("--rows", type=click.IntRange(0), metavar="N", help="Of an API: rows of each entity, unasked.")
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
    """
    from ingest_project.resources.deployments import load_settings, parse_key_schema
    from ingest_project.resources.knobs import knobs_of
    from ingest_project.resources.lanes import compare
    from ingest_project.resources.outlook import ASSUMED, TOLD, outlook
    from ingest_project.resources.prices import PRICES, QUOTAS, read_prices

    seconds = parse_duration(deadline) if deadline else None
    if entities := entities_of(paths):
        form = "openmetrics" if openmetrics else "json" if as_json else "text"
        return plan_entities(entities, deadline=seconds, workers=workers, rows=rows, form=form)
    settings = load_settings()
    knobs = knobs_of(settings)
    knobs = replace(knobs, workers=workers or knobs.workers)
    prices = read_prices(price_file) if price_file else PRICES
    assumptions = _assumptions(assumed)
    chosen = _Chosen(table=table or "", pattern=pattern, entity=entity, exact=exact)
    found = _estimate(paths, settings, chosen, parse_key_schema(key, "--key") if key else None)
    told = assumed["items_per_second"] is not None
    past = None if told else _past(settings, entity, found)
    if past is not None:
        likely = past.rate.likely
        assumptions = replace(assumptions, items_per_second=likely, prepare_per_second=likely)
    bounds = TOLD if told else past.bounds if past else ASSUMED
    expected = outlook(found, knobs, assumptions, QUOTAS, bounds=bounds, deadline=seconds)
    lanes = compare(found.volume, prices, QUOTAS, assumptions, settings.region)
    if as_json:
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
        _show_outlook(expected, past)
        _show(found, lanes, prices, assumptions, QUOTAS.as_of, settings.region)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """Options that say which files are meant and how they are read."""

    table: str
    pattern: str
    entity: str | None
    exact: bool


def _estimate(paths: tuple[str, ...], settings: Settings, chosen: _Chosen, key: KeySchema | None) -> Estimate:
    from ingest_project.api import DUMPS, entity_spec
    from ingest_project.resources.assembly import Assembly
    from ingest_project.resources.connect import s3_client
    from ingest_project.resources.estimating import Estimator
    from ingest_project.resources.importing import find_files
    from ingest_project.resources.knobs import knobs_of
    from ingest_project.resources.reading import source_of
    from ingest_project.resources.sampling import WHOLE, SampledSource
    from ingest_project.sources.dumps import Stores
    from ingest_project.sources.stores import BLOCK

    try:
        files = find_files(paths, settings, chosen.pattern)
    except TargetMissing as error:
        raise ConfigurationError(str(error)) from error
    spec = entity_spec(chosen.entity or DUMPS)
    assembly = Assembly(settings=settings, spec=spec, owner="plan", knobs=knobs_of(settings))
    with assembly.engine() as engine:
        estimator = Estimator(
            spec=spec,
            source=SampledSource(
                source_of(spec, settings),
                Stores(lambda: s3_client(settings), BLOCK),
                whole=None if chosen.exact else WHOLE,
            ),
            ask=lambda name: engine.keys_of(name, None),
            key=key,
            table=chosen.table,
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


def _show_outlook(expected: Outlook, past: Learned | None) -> None:
    from ingest_project.core.progress import duration

    rows, time = expected.rows, expected.seconds
    files = f"{expected.files:,} file{'s' if expected.files != 1 else ''}"
    span = "" if rows.low == rows.high else f" ({rows.low:,.0f} to {rows.high:,.0f})"
    click.echo(f"{files}, {expected.bytes / 1e6:,.1f} MB, {rows.likely:,.0f} rows{span}")
    click.echo(
        f"{expected.requests:,} requests, about {duration(time.likely)} ({duration(time.low)} to "
        f"{duration(time.high)}) with {expected.workers} worker{'s' if expected.workers != 1 else ''}, "
        f"{expected.memory_bytes / 2**20:,.0f} MB of memory at most"
    )
    if past is not None:
        rate, loads = past.rate, f"{past.loads} earlier load{'s' if past.loads != 1 else ''}"
        click.echo(f"{rate.likely:,.0f} rows/s ({rate.low:,.0f} to {rate.high:,.0f}) by {loads}")
    for text in filter(None, (expected.deadline, *expected.advice)):
        click.echo(text)


def _show(
    found: Estimate, lanes: list[Lane], prices: Prices, assumed: Assumptions, quotas_of: str, region: str
) -> None:
    from ingest_project.cli_show import table as show_table

    volume = found.volume
    sampled = sum(file.sampled for file in found.files)
    click.echo(
        f"{volume.items:,} items, {volume.write_units:,} write units, {volume.text_bytes / 1e6:,.1f} MB of "
        f"lines, about {volume.stored_bytes / 1e6:,.1f} MB of objects (sizes from {sampled:,} records)"
    )
    for file in found.files:
        if file.error or file.rejected_share:
            told = file.error or f"{file.rejected_share:.1%} of its sample would be rejected"
            click.echo(f"{file.uri}: {told}")
    columns = [("lane", False), ("takes", False), ("dollars", True), ("time", True)]
    rows = [[lane.name, lane.takes, _dollars(lane), _time(lane)] for lane in lanes]
    show_table("", columns, rows)
    for lane in lanes:
        parts = ", ".join(f"{what} {_money(dollars)}" for what, dollars in lane.costs)
        click.echo(f"{lane.name}: {parts}; {'; '.join(lane.notes)}")
        if lane.hindered:
            click.echo(f"{lane.name} cannot be taken: {lane.hindered}")
    click.echo(
        f"Assumed: this client sends {assumed.items_per_second:,.0f} items a second and prepares "
        f"{assumed.prepare_per_second:,.0f}; no secondary index; records of one key are counted each."
    )
    click.echo(f"Quotas: AWS defaults as of {quotas_of}. Prices: list prices of {prices.region}, in dollars:")
    for name, price in _listed(prices):
        click.echo(f"  {name}: {_money(price.dollars)} for a {price.unit}{_dated(price)}")
    if prices.region != region:
        click.echo(f"The tables are in {region}, where prices differ: give your own with --prices.")
    for note in found.notes:
        click.echo(note)


def _listed(prices: Prices) -> list[tuple[str, Price]]:
    from ingest_project.resources.prices import Price

    named = ((name, getattr(prices, name)) for name in prices.__slots__)
    return [(name, value) for name, value in named if isinstance(value, Price)]


def _dated(price: Price) -> str:
    return f" ({price.source}, {price.as_of})" if price.as_of else f" ({price.source})"


def _dollars(lane: Lane) -> str:
    if lane.hindered:
        return "-"
    if lane.dollars is not None:
        return f"{lane.dollars:,.4f}"
    return f"{sum(dollars or 0.0 for _, dollars in lane.costs):,.4f} + unknown"


def _money(dollars: float | None) -> str:
    return "unknown" if dollars is None else f"{dollars:,.5f}".rstrip("0").rstrip(".")


def _time(lane: Lane) -> str:
    from ingest_project.core.progress import duration

    if lane.hindered:
        return "-"
    if lane.seconds is not None:
        return duration(lane.seconds)
    return f"{duration(lane.least_seconds)} + unknown"
