"""Lanes: what a load costs and how long it takes by each way into DynamoDB. Arithmetic over given figures.

What nobody can know beforehand is None and said so; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ingest_project.resources.prices import GB, Prices, Quotas
from ingest_project.sinks.bulk_lanes import LEAST_WRITE_UNITS
from ingest_project.sinks.uploads import PIECE

HOUR = 3600.0
MONTH_DAYS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What is to be loaded.

    Attributes:
        write_units: Sum of each item's size in KiB, rounded up.
        text_bytes: Of import lines; ``stored_bytes``: of the objects they make.
    """

    items: int
    write_units: int
    text_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What the caller takes for granted.

    Attributes:
        items_per_second: That this client brings to DynamoDB, all of its workers together.
        prepare_per_second: Items that it validates and writes to objects.
        start_units: Write units a second that the on-demand table takes now; None is those of a new table.
        provisioned_units: Of the provisioned table; None is the quota of a table.
        put_units: MaxWriteRequestUnits of StartBulkPutItems; None leaves the rate to the service.
        object_bytes: Stored bytes of an object.
        keep_days: The objects are kept in S3.
    """

    items_per_second: float = 30_000
    prepare_per_second: float = 30_000
    start_units: int | None = None
    provisioned_units: int | None = None
    put_units: int | None = None
    object_bytes: int = 400 * 10**6
    keep_days: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One way.

    Attributes:
        dollars: None when a price is not known; ``costs`` has what is.
        seconds: None when the service says nothing of its rate; ``least_seconds`` are needed in any case.
        costs: (what for, dollars or None).
        hindered: Why this lane cannot be taken; empty when it can.
    """

    name: str
    takes: str
    dollars: float | None
    seconds: float | None
    least_seconds: float
    costs: tuple[tuple[str, float | None], ...]
    notes: tuple[str, ...]
    hindered: str = ""


def compare(
    volume: Volume, prices: Prices, quotas: Quotas, assumed: Assumptions, region: str = ""
) -> list[Lane]:
    """All lanes for this volume.

    Args:
        region: Of the table, for quotas; that of the prices when it is empty.
    """
    objects = _Objects(volume, prices, assumed)
    return [
        _on_demand(volume, prices, quotas, assumed),
        _provisioned(volume, prices, quotas, assumed),
        _import(volume, prices, quotas, objects, region or prices.region),
        _put("STANDARD", volume, prices, quotas, assumed, objects),
        _put("ACCELERATED", volume, prices, quotas, assumed, objects),
    ]


def ramp_seconds(units: int, start: int, most: int, double_seconds: int) -> float:
    """Seconds in which ``units`` are written at ``start`` a second, twice as many after each
    ``double_seconds``, never more than ``most``."""
    seconds, rate, left = 0.0, float(min(start, most)), float(units)
    while rate < most and left > rate * double_seconds:
        left -= rate * double_seconds
        seconds += double_seconds
        rate = min(2 * rate, float(most))
    return seconds + left / rate


def _on_demand(volume: Volume, prices: Prices, quotas: Quotas, assumed: Assumptions) -> Lane:
    start, most = assumed.start_units or quotas.on_demand_start, quotas.table_write_units
    service = ramp_seconds(volume.write_units, start, most, quotas.on_demand_double_seconds)
    seconds = max(service, volume.items / assumed.items_per_second)
    costs = (("writes", _times(prices.write_million.dollars, volume.write_units / 1e6)),)
    return Lane(
        name="BatchWriteItem, on demand",
        takes="any table",
        dollars=_sum(costs),
        seconds=seconds,
        least_seconds=seconds,
        costs=costs,
        notes=(
            _ramp(start, most, quotas.on_demand_double_seconds),
            _spread(quotas),
        ),
    )


def _provisioned(volume: Volume, prices: Prices, quotas: Quotas, assumed: Assumptions) -> Lane:
    rate = min(assumed.provisioned_units or quotas.table_write_units, quotas.table_write_units)
    seconds = max(volume.write_units / rate, volume.items / assumed.items_per_second)
    hours = max(1, ceil(seconds / HOUR))
    costs = ((f"{rate:,} write units for {hours} h", _times(prices.wcu_hour.dollars, rate * hours)),)
    return Lane(
        name="BatchWriteItem, provisioned",
        takes="any table",
        dollars=_sum(costs),
        seconds=seconds,
        least_seconds=seconds,
        costs=costs,
        notes=(f"{rate:,} write units a second for whole hours, then lowered again", _spread(quotas)),
    )


class _Objects:
    """What the bulk objects cost before any service reads them."""

    def __init__(self, volume: Volume, prices: Prices, assumed: Assumptions) -> None:
        self.count = max(1, ceil(volume.stored_bytes / assumed.object_bytes))
        pieces = max(self.count, ceil(volume.stored_bytes / PIECE))
        # An upload in pieces is begun and completed; each object has a record, each export three more files.
        puts = pieces + 3 * self.count + 3
        month = volume.stored_bytes / GB * assumed.keep_days / MONTH_DAYS
        self.costs = (
            (f"{puts:,} PUT requests", _times(prices.s3_put_thousand.dollars, puts / 1000)),
            (f"{self.count:,} GET requests", _times(prices.s3_get_thousand.dollars, self.count / 1000)),
            (f"S3 for {assumed.keep_days:g} days", _times(prices.s3_gb_month.dollars, month)),
        )
        self.seconds = volume.items / assumed.prepare_per_second
        self.notes = (f"{self.count:,} objects of {volume.stored_bytes / self.count / 1e6:,.0f} MB",)


def _import(volume: Volume, prices: Prices, quotas: Quotas, objects: _Objects, region: str) -> Lane:
    costs = (("import", _times(prices.import_gb.dollars, volume.text_bytes / GB)), *objects.costs)
    most = quotas.import_bytes(region)
    return Lane(
        name="ImportTable",
        takes="a new table only",
        dollars=_sum(costs),
        seconds=None,
        least_seconds=objects.seconds,
        costs=costs,
        notes=(
            *objects.notes,
            "AWS publishes no rate: the time is that of making the objects, and the import's",
        ),
        hindered=_hindered(objects, quotas)
        or (
            f"{volume.stored_bytes:,} bytes, {most:,} at most in {region}"
            if volume.stored_bytes > most
            else ""
        ),
    )


def _put(
    tier: str, volume: Volume, prices: Prices, quotas: Quotas, assumed: Assumptions, objects: _Objects
) -> Lane:
    price = prices.put_standard_gb if tier == "STANDARD" else prices.put_accelerated_gb
    costs = ((f"bulk put, {tier}", _times(price.dollars, volume.text_bytes / GB)), *objects.costs)
    limit = max(LEAST_WRITE_UNITS, assumed.put_units) if assumed.put_units else 0
    least = objects.seconds + (volume.write_units / limit if limit else 0.0)
    rate = (
        f"{limit:,} write units a second at most, as asked for"
        if limit
        else "AWS publishes no rate: the time is that of making the objects, and the operation's"
    )
    counted = "bulk put bytes are taken to be those of the lines; the service counts them its own way"
    notes = (*objects.notes, rate, *(() if price.dollars is None else (counted,)))
    large = volume.stored_bytes / objects.count > quotas.put_object_bytes
    return Lane(
        name=f"StartBulkPutItems, {tier}",
        takes="an existing table",
        dollars=_sum(costs),
        seconds=None,
        least_seconds=least,
        costs=costs,
        notes=notes,
        hindered=_hindered(objects, quotas) or ("objects too large" if large else ""),
    )


def _hindered(objects: _Objects, quotas: Quotas) -> str:
    few = objects.count <= quotas.bulk_objects
    return "" if few else f"{objects.count:,} objects, {quotas.bulk_objects:,} at most"


def _ramp(start: int, most: int, seconds: int) -> str:
    return (
        f"begins at {start:,} write units a second, twice as many after each {seconds // 60} minutes, "
        f"{most:,} at most"
    )


def _spread(quotas: Quotas) -> str:
    return f"keys must be spread: a partition takes {quotas.partition_write_units:,} write units a second"


def _times(price: float | None, amount: float) -> float | None:
    return None if price is None else price * amount


def _sum(costs: tuple[tuple[str, float | None], ...]) -> float | None:
    known = [dollars for _, dollars in costs if dollars is not None]
    return sum(known) if len(known) == len(costs) else None
