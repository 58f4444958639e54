"""What `ingest plan` shows of a load on this machine, of the lanes into DynamoDB, and of prices.
Nothing is computed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ingest_project.core.experience import Learned
    from ingest_project.resources.estimating import Estimate
    from ingest_project.resources.lanes import Assumptions, Lane
    from ingest_project.resources.outlook import Outlook
    from ingest_project.resources.prices import Price, Prices


def show_outlook(expected: Outlook, past: Learned | None) -> None:
    """Rows, time and advice on this machine."""
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


def show_lanes(
    found: Estimate, lanes: list[Lane], prices: Prices, assumed: Assumptions, quotas_of: str, region: str
) -> None:
    """The lanes beside each other, with what is assumed."""
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
        click.echo(price_line(name, price))
    if prices.region != region:
        click.echo(f"The tables are in {region}, where prices differ: give your own with --prices.")
    for note in found.notes:
        click.echo(note)


def _listed(prices: Prices) -> list[tuple[str, Price]]:
    from ingest_project.resources.prices import Price

    named = ((name, getattr(prices, name)) for name in prices.__slots__)
    return [(name, value) for name, value in named if isinstance(value, Price)]


def price_line(name: str, price: Price) -> str:
    """``import_gb: 0.15 for a GB of uncompressed lines (AWS price list, 2025-06)``"""
    return f"  {name}: {_money(price.dollars)} for a {price.unit}{_dated(price)}"


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
