"""Bench: files through source, validator and order pass in memory, and the tables they fill.

The table of lines keeps law 11 by itself here: the last line in (date, file) order stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec

from ingest_project.core.model import Chunk, Rejection, WriteReport
from ingest_project.core.planning import Binding, plan
from ingest_project.core.validating import Validator
from ingest_project.entities.dropship.books import Item
from ingest_project.entities.dropship.contract import KEYS, LINES, admission
from ingest_project.entities.dropship.layouts import LAYOUTS
from ingest_project.entities.dropship.passes import BookPass, PassReport
from ingest_project.entities.dropship.posting import (
    KEYS as BOOK_KEYS,
)
from ingest_project.entities.dropship.posting import (
    ORDER_BOOKS,
    ORDERS,
    BookSink,
    SlotLock,
    name_of,
    order_maker,
)
from ingest_project.entities.dropship.touched import ids_of, published
from ingest_project.entities.dropship.values import untyped
from ingest_project.resources.knobs import Knobs
from ingest_project.sources.dumps import list_files
from ingest_project.sources.rows import RowSource
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, InMemoryPartStore, inline

KNOBS = Knobs(in_flight=4, memory_bytes=1 << 20, lease_seconds=20.0)


@dataclass(slots=True)
class MemoryShelf:
    """posting.OrderShelf over dictionaries; books by their names.

    Attributes:
        puts: Written bodies so far.
        before: Called before each call, to die or to fail.
    """

    stock: dict[str, dict[str, tuple[tuple[str, str, int], Item]]] = field(default_factory=dict)
    written: dict[str, dict[str, Item]] = field(default_factory=lambda: {kind: {} for kind in BOOK_KEYS})
    puts: int = 0
    before: Callable[[str], None] = lambda what: None

    def load(self, place: tuple[str, str, int], item: Item) -> None:
        """A line, as the table stage writes it."""
        mine = self.stock.setdefault(str(item["kode_pesanan"]), {})
        known = mine.get(str(item["line"]))
        if known is None or known[0] <= place:
            mine[str(item["line"])] = (place, item)

    async def identity(self) -> str:
        return "memory"

    async def lines(self, code: str) -> Sequence[Item]:
        self.before("lines")
        return [item for _, item in self.stock.get(code, {}).values()]

    async def books(self, kind: str, items: Sequence[Item]) -> Mapping[str, Item]:
        self.before("books")
        names = [name_of(kind, item) for item in items]
        return {name: self.written[kind][name] for name in names if name in self.written[kind]}

    async def put(self, kind: str, bodies: Sequence[bytes]) -> WriteReport:
        self.before("put")
        for body in bodies:
            item = untyped(msgspec.json.decode(body)["Item"])
            self.written[kind][name_of(kind, item)] = item
            self.puts += 1
        return WriteReport(written=len(bodies))


@dataclass(slots=True)
class Bench:
    """One deployment in memory."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    shelf: MemoryShelf = field(default_factory=MemoryShelf)
    parts: InMemoryPartStore = field(default_factory=InMemoryPartStore)
    ledger: InMemoryLedger = field(init=False)
    chunks: dict[str, list[Chunk]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = InMemoryLedger(self.clock)

    def load(self, day: str, name: str, content: bytes) -> Sequence[Rejection]:
        """A file through the first stage, its good lines into the table; gives what was refused."""
        path = self.folder / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        (file,) = list_files(path.as_uri())
        source = RowSource(LAYOUTS)
        index = source.index(file)
        made = plan(
            None, [Binding(index=index, target=LINES, keys=KEYS)], entity="dropship", date=day, slots=4
        )
        refused: list[Rejection] = []
        for chunk in made.chunks:
            Validator(
                source=source, admission=admission, parts=self.parts, ledger=self.ledger, clock=self.clock
            ).validate(chunk, "bench")
            refused += self.ledger.rejections(chunk, "validated")
            self._fill(chunk)
            known = self.chunks.setdefault(day, [])
            if chunk.id not in {one.id for one in known}:
                known.append(chunk)
        return refused

    def _fill(self, chunk: Chunk) -> None:
        for info in self.parts.parts(chunk):
            for lines in self.parts.lines(chunk, info):
                for line in lines:
                    self.shelf.load(chunk.order, untyped(msgspec.json.decode(line)["Item"]))

    def post(self, day: str, owner: str = "bench", mark: str = "") -> PassReport:
        """The order pass of a date."""

        def sink(lock: SlotLock) -> BookSink:
            return BookSink(self.shelf, lock, order_maker(self.shelf), ORDER_BOOKS)

        work = BookPass(
            stage=ORDERS,
            sink=sink,
            ledger=self.ledger,
            owner=owner,
            knobs=KNOBS,
            folder=self.folder / f"ids-{owner}",
            clock=self.clock,
            rng=Random(0),
            sleep=self.clock.sleep,
            offload=inline,
        )
        chunks = self.chunks.get(day, [])
        mark = mark or "+".join(chunk.id for chunk in chunks)
        ids = ids_of(self.parts, published(self.parts, chunks))
        return self.clock.run(work.run(day, mark, ids))

    @property
    def books(self) -> dict[str, dict[str, Item]]:
        return self.shelf.written
