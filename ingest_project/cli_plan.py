"""`ingest plan PATH...`: what loading these files would cost and how long it would take, by each lane."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest_project.core.errors import ConfigurationError, TargetMissing

if TYPE_CHECKING:
    from ingest_project.core.model import KeySchema
    from ingest_project.resources.deployments import Settings
    from ingest_project.resources.estimating import Estimate
    from ingest_project.resources.lanes import Assumptions, Lane
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
@click.option("--keep-days", type=click.FloatRange(min=0), metavar="D", help="Days that objects stay in S3.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(
    paths: tuple[str, ...],
    table: str | None,
    pattern: str,
    key: str | None,
    price_file: Path | None,
    as_json: bool,
    **assumed: float | None,
) -> int:
    """Compare the lanes into DynamoDB for these files: dollars and time.

    Reads each file once and a sample of its records; writes nothing.
    """
    from ingest_project.resources.deployments import load_settings, parse_key_schema
    from ingest_project.resources.lanes import compare
    from ingest_project.resources.prices import PRICES, QUOTAS, read_prices

    settings = load_settings()
    prices = read_prices(price_file) if price_file else PRICES
    assumptions = _assumptions(assumed)
    found = _estimate(paths, settings, table or "", pattern, parse_key_schema(key, "--key") if key else None)
    lanes = compare(found.volume, prices, QUOTAS, assumptions, settings.region)
    if as_json:
        document = {
            "volume": asdict(found.volume),
            "lanes": [asdict(lane) for lane in lanes],
            "files": [asdict(file) for file in found.files],
            "assumptions": asdict(assumptions),
            "prices": asdict(prices),
            "quotas": asdict(QUOTAS),
            "notes": list(found.notes),
        }
        click.echo(json.dumps(document, indent=2))
    else:
        _show(found, lanes, prices, assumptions, QUOTAS.as_of, settings.region)
    return 1 if any(file.error for file in found.files) else 0


def _assumptions(given: dict[str, float | None]) -> Assumptions:
    from ingest_project.resources.lanes import Assumptions

    words: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if "items_per_second" in words:
        words["prepare_per_second"] = words["items_per_second"]
    if "write_units" in words:
        words["put_units"] = words.pop("write_units")
    return Assumptions(**words)


def _estimate(
    paths: tuple[str, ...], settings: Settings, table: str, pattern: str, key: KeySchema | None
) -> Estimate:
    from ingest_project.api import entity_spec
    from ingest_project.resources.assembly import Assembly
    from ingest_project.resources.estimating import Estimator
    from ingest_project.resources.importing import find_files
    from ingest_project.resources.knobs import knobs_of
    from ingest_project.resources.reading import source_of

    try:
        files = find_files(paths, settings, pattern)
    except TargetMissing as error:
        raise ConfigurationError(str(error)) from error
    spec = entity_spec()
    assembly = Assembly(settings=settings, spec=spec, owner="plan", knobs=knobs_of(settings))
    with assembly.engine() as engine:
        estimator = Estimator(
            spec=spec,
            source=source_of(spec, settings),
            ask=lambda name: engine.keys_of(name, None),
            key=key,
            table=table,
        )
        return estimator.estimate(files)


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
