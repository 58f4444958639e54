"""What a month of conversations costs in the old table and in the new ones. A model: traffic in, dollars out.

Prices are dated data of resources.prices; sizes and traffic are assumptions that are named and can be given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from ingest_project.core.codecs import Codec
from ingest_project.entities.conversations.context import SEARCH
from ingest_project.entities.conversations.keys import CHUNKS
from ingest_project.entities.conversations.tables import HASHES
from ingest_project.resources.prices import GB, PRICES, Price, Prices

WRITE_UNIT, READ_UNIT = 1024, 4096
EVENTUAL = 0.5
INDEX_OVERHEAD = 100
"""Bytes that the service counts for storing an item, in a table and in each index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A month.

    Attributes:
        messages: Written a month; as many stand in the tables when items live for a month.
        contexts: Questions that want a context; each makes one similarity search.
        cached: Share of them that the cache answers.
        further: Share of the others that follow one of the same user within minutes, in the same process.
        content, row: Bytes of a message's text, and of all else in an old row.
        kept_months: Months that old rows are kept: the old table has no TTL.
        user_messages: Messages of a user that stand.
    """

    messages: int = 1_000_000
    contexts: int = 500_000
    cached: float = 0.0
    further: float = 0.75
    content: int = 400
    row: int = 250
    kept_months: float = 1.0
    user_messages: int = 400
    dimensions: int = 512
    codec: Codec = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Units and bytes of a month, and their dollars; a price that is not known makes a line None.

    Attributes:
        read_units: An eventually consistent read of 4 KiB is half of one.
        by: What the units are for.
    """

    read_units: float
    write_units: float
    stored_bytes: float
    reads: float | None
    writes: float | None
    storage: float | None
    by: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float | None:
        """Dollars of the month; None when a part is not known."""
        parts = (self.reads, self.writes, self.storage)
        return None if None in parts else sum(part for part in parts if part is not None)


def reads(size: float) -> float:
    """Read units of one request that reads so many bytes, eventually consistent."""
    return EVENTUAL * max(1, ceil(size / READ_UNIT))


def writes(size: float) -> float:
    """Write units of one item."""
    return max(1, ceil(size / WRITE_UNIT))


def old_bill(traffic: Traffic, prices: Prices = PRICES) -> Bill:
    """The old table: a context reads the user's messages of the window with all attributes, and filters."""
    row = traffic.row + traffic.content
    context = reads(traffic.user_messages * row)
    return _bill(
        reads={"context": traffic.contexts * context},
        writes={"messages": traffic.messages * writes(row)},
        stored=traffic.messages * traffic.kept_months * (row + INDEX_OVERHEAD),
        prices=prices,
    )


def new_bill(traffic: Traffic, prices: Prices = PRICES) -> Bill:
    """The new tables: narrow queries over indexes; each write also goes to the indexes.

    They hold what the old table has not: embeddings, whose sketches a user's first question reads in ten
    chunks, and of which every question fetches some.
    """
    asked = traffic.contexts * (1 - traffic.cached)
    sizes = _Sizes(traffic)
    history = writes(sizes.history) + sum(map(writes, sizes.history_indexes))
    embedding = writes(sizes.embedding) + len(HASHES) * writes(sizes.sketch)
    stored = sizes.history + sum(sizes.history_indexes) + sizes.embedding + len(HASHES) * sizes.sketch
    overhead = INDEX_OVERHEAD * (2 + len(sizes.history_indexes) + len(HASHES))
    week = traffic.user_messages * 7 / 30
    sketches = CHUNKS * reads(traffic.user_messages / CHUNKS * sizes.sketch)
    similar = (1 - traffic.further) * sketches + SEARCH.few * reads(sizes.embedding)
    return _bill(
        reads={
            "last of the session": asked * reads(5 * sizes.history_indexes[1]),
            "recent": asked * 2 * reads(8 * sizes.history),
            "statistics": asked * reads(week * sizes.history_indexes[0]),
            "similar": asked * similar,
        },
        writes={"history": traffic.messages * history, "embeddings": traffic.messages * embedding},
        stored=traffic.messages * (stored + overhead),
        prices=prices,
    )


class _Sizes:
    """Bytes of the new items; keys and names as the tables have them."""

    def __init__(self, traffic: Traffic) -> None:
        keys, summary = 160, min(200, traffic.content)
        self.history = keys + traffic.row + traffic.content + summary + 180
        self.history_indexes: Sequence[int] = (keys + summary + 40, keys + summary + 100)
        vector = {"zlib-float32": 3.75, "float16": 2.0, "int8": 1.0}[traffic.codec] * traffic.dimensions
        self.sketch = 160
        self.embedding = round(vector) + self.sketch + 480


def _bill(*, reads: dict[str, float], writes: dict[str, float], stored: float, prices: Prices) -> Bill:
    read_units, write_units = sum(reads.values()), sum(writes.values())
    return Bill(
        read_units=read_units,
        write_units=write_units,
        stored_bytes=stored,
        reads=_dollars(prices.read_million, read_units / 1e6),
        writes=_dollars(prices.write_million, write_units / 1e6),
        storage=_dollars(prices.table_gb_month, stored / GB),
        by=reads | writes,
    )


def _dollars(price: Price, amount: float) -> float | None:
    return None if price.dollars is None else price.dollars * amount


def report(traffic: Traffic, prices: Prices = PRICES) -> list[str]:
    """Both bills, line by line, with the dates of the prices."""
    asked = f"{traffic.contexts:,} contexts, {traffic.cached:.0%} from the cache, "
    asked += f"{traffic.further:.0%} of the others further ones"
    lines = [f"a month of {traffic.messages:,} messages and {asked}; {prices.region}"]
    for name, bill in (("old", old_bill(traffic, prices)), ("new", new_bill(traffic, prices))):
        lines.append(
            f"{name}: {bill.read_units / 1e6:,.2f} M read units {_told(bill.reads)}, "
            f"{bill.write_units / 1e6:,.2f} M write units {_told(bill.writes)}, "
            f"{bill.stored_bytes / GB:,.2f} GB {_told(bill.storage)}: {_told(bill.total)} a month"
        )
        lines += [f"  {what}: {units / 1e6:,.2f} M units" for what, units in bill.by.items()]
    used = {prices.read_million, prices.write_million, prices.table_gb_month}
    return lines + sorted(
        f"price of a {one.unit}: {_told(one.dollars)}, {one.source} {one.as_of}" for one in used
    )


def _told(dollars: float | None) -> str:
    return "(not known)" if dollars is None else f"${dollars:,.3f}"
