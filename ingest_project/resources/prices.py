"""Prices and quotas of the services that a load can use: data with its date, nothing is computed here.

Prices are list prices of us-east-1 in dollars. Nothing was looked up from this machine: ``source`` says where
a figure is from and ``as_of`` when it was known. What is not known is None. ``read_prices`` takes others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ingest_project.core.errors import ConfigurationError

GB = 2**30
"""What AWS's prices call a GB."""

_PRICE_LIST = "AWS price list"
_QUOTA_PAGE = "DynamoDB developer guide"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Dollars for one ``unit``; None is unknown."""

    dollars: float | None
    unit: str
    as_of: str
    source: str


def _known(dollars: float, unit: str, as_of: str = "2025-06") -> Price:
    return Price(dollars=dollars, unit=unit, as_of=as_of, source=_PRICE_LIST)


def _unknown(unit: str) -> Price:
    return Price(dollars=None, unit=unit, as_of="", source="not known here; see the price list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Attributes are named after what is paid for."""

    region: str
    read_million: Price
    write_million: Price
    wcu_hour: Price
    import_gb: Price
    put_standard_gb: Price
    put_accelerated_gb: Price
    s3_put_thousand: Price
    s3_get_thousand: Price
    s3_gb_month: Price
    table_gb_month: Price
    host_hour: Price


PRICES = Prices(
    region="us-east-1",
    read_million=_known(0.125, "million on-demand read units", "2026-11"),
    write_million=_known(0.625, "million on-demand write units", "2026-11"),
    wcu_hour=_known(0.00065, "provisioned write unit and hour"),
    import_gb=_known(0.15, "GB of uncompressed lines"),
    put_standard_gb=_unknown("GB of bulk put bytes, STANDARD"),
    put_accelerated_gb=_unknown("GB of bulk put bytes, ACCELERATED"),
    s3_put_thousand=_known(0.005, "thousand PUT requests"),
    s3_get_thousand=_known(0.0004, "thousand GET requests"),
    s3_gb_month=_known(0.023, "GB stored for a month"),
    table_gb_month=_known(0.25, "GB stored in a table for a month"),
    host_hour=_known(0.145, "host of 4 cores (c7g.xlarge, on demand) and hour"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Default quotas of an account, which AWS raises on request; as published, ``as_of``.

    Attributes:
        table_write_units: A second, of one table.
        partition_write_units: A second, of one partition.
        on_demand_start: Write units a second that a new on-demand table takes at once.
        on_demand_double_seconds: It takes twice its last peak after so long.
        bulk_objects: Of one ImportTable or StartBulkPutItems.
        put_object_bytes: Of one object of StartBulkPutItems.
        import_wide_bytes, import_bytes_elsewhere: Stored bytes of one ImportTable, in ``import_wide_regions``
            and in other ones.
    """

    table_write_units: int = 40_000
    partition_write_units: int = 1_000
    on_demand_start: int = 4_000
    on_demand_double_seconds: int = 1_800
    bulk_objects: int = 50_000
    put_object_bytes: int = 5 * GB
    import_wide_regions: tuple[str, ...] = ("us-east-1", "us-west-2", "eu-west-1")
    import_wide_bytes: int = 15 * 2**40
    import_bytes_elsewhere: int = 2**40
    as_of: str = "2026-11"
    source: str = _QUOTA_PAGE

    def import_bytes(self, region: str) -> int:
        """Stored bytes that one ImportTable takes in a region."""
        wide = region in self.import_wide_regions
        return self.import_wide_bytes if wide else self.import_bytes_elsewhere


QUOTAS = Quotas()


def read_prices(path: Path, prices: Prices = PRICES) -> Prices:
    """Prices with those of a JSON file in their places.

    The file: ``{"region": "eu-west-1", "as_of": "2026-12", "import_gb": 0.2, ...}``.

    Raises:
        ConfigurationError: The file cannot be read, or holds a name or a value that is no price.
    """
    try:
        words: Mapping[str, Any] = json.loads(path.read_bytes())
        names = {field.name for field in fields(Prices)} - {"region"}
        strange = words.keys() - names - {"region", "as_of"}
        if strange:
            wrong, right = (", ".join(sorted(some)) for some in (strange, names))
            raise ConfigurationError(f"{path}: no price is called {wrong}; there are {right}")
        as_of, source = str(words.get("as_of", "")), str(path)
        own = {
            name: replace(getattr(prices, name), dollars=_dollars(words[name]), as_of=as_of, source=source)
            for name in names & words.keys()
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path}: not a file of prices: {error}") from error
    return replace(prices, region=str(words.get("region", prices.region)), **own)


def _dollars(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(f"{value!r} is no price")
    return float(value)
