"""`ingest plan --hosts N` and `ingest plan --rows N`: what several hosts would take, and how many are needed.

Options and words; the question is answered by resources.fleet_plan.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ingest_project.core.experience import RunRate
    from ingest_project.resources.deployments import Settings
    from ingest_project.resources.estimating import Estimate
    from ingest_project.resources.fleet_costs import Figure
    from ingest_project.resources.fleet_plan import Cargo, FleetPlan, Means, Offer
    from ingest_project.resources.lanes import Assumptions
    from ingest_project.resources.prices import Prices

MOST_SIMULATED = 5000

Command = Callable[..., Any]

_OPTIONS = (
    click.option("--hosts", type=click.IntRange(1, 1024), multiple=True, help="Worker hosts; repeatable."),
    click.option(
        "--at-once", type=click.IntRange(1, 256), default=4, show_default=True, help="Runs at once on a host."
    ),
    click.option(
        "--cores", type=click.FloatRange(0.1), default=4.0, show_default=True, help="Of a worker host."
    ),
    click.option(
        "--row-bytes",
        type=click.FloatRange(1),
        default=1024.0,
        show_default=True,
        help="Of a row, with --rows.",
    ),
    click.option(
        "--run-bytes",
        type=click.FloatRange(1),
        help="Of the files of one run.  [default: 1 GiB, or 500 runs]",
    ),
    click.option(
        "--host-price",
        type=click.FloatRange(0),
        help="Dollars for an hour of a host.  [default: from --prices]",
    ),
    click.option(
        "--target-latency", type=click.FloatRange(0), help="Seconds from a write to the table to its answer."
    ),
    click.option(
        "--host-losses",
        type=click.FloatRange(0),
        default=1.0,
        show_default=True,
        help="Of a host in 30 days.",
    ),
)


def host_options(command: Command) -> Command:
    """Add the options of Wanted to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user says of hosts and runs."""

    hosts: tuple[int, ...]
    at_once: int
    cores: float
    row_bytes: float
    run_bytes: float | None
    host_price: float | None
    target_latency: float | None
    host_losses: float

    @classmethod
    def take(cls, given: dict[str, Any]) -> Wanted:
        """Out of all options of a call; what is taken is no longer in ``given``."""
        return cls(**{name: given.pop(name) for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is known beside.

    Attributes:
        rate: Rows a second of one run, where the user knows them; ``learned``: by earlier loads.
        tables: That are written to.
    """

    settings: Settings
    prices: Prices
    deadline: float | None
    rate: float | None
    learned: RunRate | None
    tables: Collection[str]
    assumed: Assumptions


def cargo_of(rows: int | None, row_bytes: float, found: Estimate | None) -> Cargo:
    """Of files, or of so many rows of one size."""
    from ingest_project.resources.estimating import WRITE_UNIT
    from ingest_project.resources.fleet_plan import Cargo

    if found is not None:
        volume = found.volume
        size = max(volume.text_bytes, sum(file.bytes for file in found.files))
        return Cargo(rows=volume.items, bytes=size, write_units=volume.write_units)
    count = rows or 0
    return Cargo(rows=count, bytes=count * row_bytes, write_units=count * -int(-row_bytes // WRITE_UNIT))


def answer_fleet(cargo: Cargo, wanted: Wanted, question: Question, *, as_json: bool) -> None:
    """Simulate and show.

    Raises:
        click.UsageError: There is nothing to load, or in too many runs.
    """
    from ingest_project.core.experience import told_rate
    from ingest_project.resources.fleet_plan import fleet_plan
    from ingest_project.resources.prices import QUOTAS, Price

    if not cargo.rows:
        raise click.UsageError("there are no rows to load")
    if wanted.run_bytes and cargo.bytes / wanted.run_bytes > MOST_SIMULATED:
        count = cargo.bytes / wanted.run_bytes
        raise click.UsageError(f"--run-bytes: {count:,.0f} runs; give each more, {MOST_SIMULATED:,} at most")
    prices = question.prices
    if wanted.host_price is not None:
        own = Price(dollars=wanted.host_price, unit="host and hour", as_of="", source="--host-price")
        prices = replace(prices, host_hour=own)
    learned, source = question.learned, ""
    if question.rate is not None:
        learned, source = told_rate(question.rate), "--items-per-second"
    elif learned is not None:
        source = f"{learned.chunks} chunks of earlier loads, in the ledger"
    means = _means(wanted, question)
    plan = fleet_plan(
        cargo, means, prices, QUOTAS, deadline=question.deadline, learned=learned, source=source
    )
    if as_json:
        words = {"fleet": _document(plan), "cargo": asdict(cargo), "means": asdict(means)}
        click.echo(json.dumps({**words, "prices": asdict(prices), "quotas": asdict(QUOTAS)}, indent=2))
    else:
        _show(cargo, means, plan, prices)


def _means(wanted: Wanted, question: Question) -> Means:
    from ingest_project.core.fleet import Failures
    from ingest_project.resources.fleet_plan import MONTH_HOURS, Means
    from ingest_project.resources.knobs import knobs_of

    knobs, assumed = knobs_of(question.settings), question.assumed
    shared = [question.settings.shared_write_units.get(table) for table in question.tables]
    known = [units for units in shared if units is not None]
    return Means(
        hosts=tuple(wanted.hosts),
        at_once=wanted.at_once,
        cores=wanted.cores,
        run_bytes=wanted.run_bytes,
        chunk_bytes=knobs.min_chunk_bytes,
        part_bytes=knobs.part_bytes,
        in_flight=knobs.in_flight,
        request_seconds=wanted.target_latency,
        units=assumed.provisioned_units or (sum(known) if known and len(known) == len(shared) else None),
        provisioned=assumed.provisioned_units is not None,
        start_units=assumed.start_units,
        failures=Failures(hosts_an_hour=wanted.host_losses / MONTH_HOURS, lease_seconds=knobs.lease_seconds),
    )


def _document(plan: FleetPlan) -> dict[str, Any]:
    offers = [
        {
            **asdict(offer),
            "hosts": offer.forecast.fleet.hosts,
            "limit": offer.forecast.limit,
            "dollars": offer.dollars,
        }
        for offer in plan.offers
    ]
    return {**asdict(plan), "offers": offers}


def _show(cargo: Cargo, means: Means, plan: FleetPlan, prices: Prices) -> None:
    from ingest_project.cli_plan_lanes import price_line
    from ingest_project.cli_show import table

    click.echo(
        f"{cargo.rows:,} rows of {cargo.row_bytes:,.0f} bytes, {cargo.bytes / 1e9:,.1f} GB, "
        f"{cargo.write_units:,} write units; {plan.runs:,} runs, {means.at_once} at once on a host"
    )
    columns = [("hosts", True), ("time", True), ("9 of 10 within", True), ("dollars", True)]
    columns += [("of the quota", True), ("of the cores", True), ("limited by", False)]
    table("", columns, [_row(offer) for offer in plan.offers])
    if plan.verdict:
        click.echo(plan.verdict)
    for offer in plan.offers:
        parts = ", ".join(f"{what} {_money(dollars)}" for what, dollars in offer.costs)
        hosts = offer.forecast.fleet.hosts
        click.echo(f"{hosts} host{'s' if hosts > 1 else ''}, dollars: {parts}{_losses(offer)}")
    click.echo(
        f"List prices of {prices.region}, in dollars; keeping the table and its backups is not counted:"
    )
    writes = "wcu_hour" if means.provisioned else "write_million"
    for name in ("host_hour", writes, "s3_put_thousand", "s3_get_thousand"):
        click.echo(price_line(name, getattr(prices, name)))
    click.echo("Assumed in the simulation of each fleet:")
    for name, figure in plan.assumed:
        click.echo(f"  {name}: {_figure(figure)}")


def _row(offer: Offer) -> list[str]:
    from ingest_project.core.progress import duration

    found = offer.forecast
    dollars = "unknown" if offer.dollars is None else f"{offer.dollars:,.2f}"
    shares = [f"{share:.0%}" for share in (found.quota, found.cores)]
    times = [duration(found.seconds.likely), duration(found.seconds.high)]
    return [f"{found.fleet.hosts:,}", *times, dollars, *shares, found.limit]


def _losses(offer: Offer) -> str:
    """Where something gets lost."""
    found = offer.forecast
    words = f"; {found.lost:,.1f} runs get lost and are repeated" if found.lost >= 0.05 else ""
    return words + (f", {found.given_up:,.1f} are given up" if found.given_up else "")


def _money(dollars: float | None) -> str:
    return "unknown" if dollars is None else f"{dollars:,.2f}"


def _figure(figure: Figure) -> str:
    source = f"{figure.source}, {figure.as_of}" if figure.as_of else figure.source
    return f"{figure.value:,.6g} {figure.unit} ({source})"
