"""Sample CSV exports of a marketplace: many files, among them broken ones, and what is to come of each.

Made deterministically from a seed, a file at a time; the same on every machine. Loads nothing.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ingest_project.local.samples import WORDS, Sample

_HEADER = (
    "No,Waktu Pesanan Terbuat,Status,Kode Pesanan,Kode Transaksi,SKU,Nama Produk,Harga,Qty,Total Harga,"
    "Biaya Lainnya,Biaya Mitra Jakmall,Total Transaksi,Harga Channel,Total Harga Channel,Potensi Keuntungan,"
    "Dibuat Oleh,Jenis Channel,Nama Toko,Kode Invoice Channel,Gudang,Ekspedisi,Cashless,Resi,"
    "Waktu Pengiriman,Provinsi,Kota"
)
HEADER = _HEADER.split(",")
MONTHS = ("January", "Februari", "March", "Mei", "June", "Agustus", "October", "Desember")

GOOD, HEADLESS, TRUNCATED, LATIN, EMPTY, TWIN = (
    "good",
    "bad header",
    "truncated",
    "latin-1",
    "empty",
    "duplicate of another file",
)
LINES_OF_AN_ORDER = 3
BAD_SHARE = 0.01

EXPORTED_ORDERS = 150
EXPORTS = (
    Sample(
        name="export-a.csv",
        table="dropship-lines",
        read=300,
        rejected=3,
        about="two lines of each of 150 orders",
        entity="dropship",
    ),
    Sample(
        name="export-b.csv",
        table="dropship-lines",
        read=150,
        rejected=2,
        about="their third lines, with ; between the columns",
        entity="dropship",
    ),
)
"""Of the demo: files of the same orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFile:
    """One sample file and its expected fate.

    Attributes:
        kind: What it shows.
        rows: Rows that can be told apart in it, the header not counted.
        bad: Rows of them that break the contract.
        broken: The file as a whole fails: no row of it is to be had, or none behind the good ones.
    """

    name: str
    kind: str
    rows: int
    bad: int
    broken: bool

    @property
    def good(self) -> int:
        return self.rows - self.bad


def write_row_files(folder: Path, *, files: int = 100, rows: int = 500_000, seed: int = 1) -> list[RowFile]:
    """Write about ``rows`` rows into ``files`` files, a few of them large and five of them problems.

    An order has three lines, in three different files. Each file appears complete, by a rename.

    Args:
        files: At least 12.
    """
    if files < 12:
        raise ValueError("five problem files need as many good ones beside them")
    folder.mkdir(parents=True, exist_ok=True)
    kinds = _kinds(files)
    sizes = _sizes(rows, kinds, Random(f"sizes {seed}"))
    starts = [sum(sizes[:at]) for at in range(files)]
    orders = -(-sum(sizes) // LINES_OF_AN_ORDER)
    made = []
    for at, kind in enumerate(kinds):
        name = f"export-{at:03d}.csv"
        # The twin has its neighbour's bytes under another name.
        source = at - 1 if kind == TWIN else at
        table = Table(Random(f"rows {seed} {source}"), starts[source], sizes[source], orders)
        content, fate = _content(name, kind, table)
        draft = folder / f".{name}.tmp"
        draft.write_bytes(content)
        os.replace(draft, folder / name)
        made.append(fate)
    return made


def write_exports(folder: Path) -> list[Path]:
    """Write the demo's files into ``folder``; both appear there complete, by renames."""
    folder.mkdir(parents=True, exist_ok=True)
    start, drafts = 0, []
    for sample in EXPORTS:
        table = Table(Random(f"exports {start}"), start, sample.read, EXPORTED_ORDERS)
        draft = folder / f".{sample.name}.tmp"
        draft.write_bytes(_written(HEADER, table.rows(), ";" if start else ",").encode())
        drafts.append((draft, folder / sample.name))
        start += sample.read
    for draft, path in drafts:
        os.replace(draft, path)
    return [path for _, path in drafts]


def _kinds(files: int) -> list[str]:
    kinds = [GOOD] * files
    step = files // 6
    for number, kind in enumerate((HEADLESS, TRUNCATED, LATIN, EMPTY, TWIN), 1):
        kinds[number * step] = kind
    return kinds


def _sizes(rows: int, kinds: Sequence[str], rng: Random) -> list[int]:
    """A tenth of the files holds half of the rows."""
    shares = [rng.uniform(8.0, 12.0) if rng.random() < 0.1 else rng.uniform(0.5, 1.5) for _ in kinds]
    shares = [0.0 if kind in (EMPTY, TWIN) else share for kind, share in zip(kinds, shares, strict=True)]
    whole = sum(shares)
    return [max(3, round(rows * share / whole)) if share else 0 for share in shares]


@dataclass(slots=True)
class Table:
    """The rows of one file. Rows with consecutive numbers are of different orders."""

    rng: Random
    start: int
    size: int
    orders: int
    bad: int = 0

    def rows(self) -> Iterator[list[str]]:
        for at in range(self.size):
            yield self._row(at)

    def _row(self, at: int) -> list[str]:
        rng, number = self.rng, self.start + at
        order, line = number % self.orders, number // self.orders
        qty, price = rng.randint(1, 5), rng.randrange(100, 9_999_900) / 100
        total, fee, other = qty * price, rng.randrange(500) / 100, rng.randrange(300) / 100
        sale = total * 1.2
        date = f"{order % 28 + 1:02d} {MONTHS[order % len(MONTHS)]} 2026"
        made = [str(at + 1), f"{date}, 10:{order % 60:02d}:00", "selesai", f"PS-{order:07d}"]
        made += [f"TRX{order:07d}", f"SKU{line}-{number % 997}", " ".join(rng.choices(WORDS, k=3))]
        made += [f"{price:.2f}", str(qty), f"{total:.2f}", f"{other:.2f}", f"{fee:.2f}"]
        made += [f"{total + fee + other:.2f}", f"{price * 1.2:.2f}", f"{sale:.2f}", f"{sale - total:.2f}"]
        made += ["budi", "online" if order % 7 else "reseller"]
        made += ["MR eStore Free Sample" if order % 50 == 0 else f"Toko {order % 9}", f"'INV{order:09d}"]
        made += [f"Gudang {order % 4}", "JNE", "Ya", f"RESI{number:09d}", f"{date}, 18:00:00"]
        made += ["Jawa Barat", "Bandung"]
        return self._spoilt(made) if rng.random() < BAD_SHARE else made

    def _spoilt(self, made: list[str]) -> list[str]:
        """A row that breaks the contract in one of four ways."""
        self.bad += 1
        way = self.rng.randrange(4)
        if way == 3:
            return made[:-2]
        made[(9, 1, 3)[way]] = ("12,5o", "32 Foo 2026, 10:00:00", "")[way]
        return made


def _written(header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _content(name: str, kind: str, table: Table) -> tuple[bytes, RowFile]:
    if kind == EMPTY:
        return b"", RowFile(name=name, kind=kind, rows=0, bad=0, broken=True)
    header = ["Foo", "Bar", *HEADER[2:9]] if kind == HEADLESS else HEADER
    delimiter = ";" if table.start % 5 == 0 else ","
    coffee = "Café " if kind == LATIN else ""
    text = _written(header, ([*row[:6], f"{coffee}{row[6]}", *row[7:]] for row in table.rows()), delimiter)
    if kind == TRUNCATED:
        text += f'{table.size + 1}{delimiter}"01 May 20'
    content = text.encode("latin-1" if kind == LATIN else "utf-8")
    if kind == HEADLESS:
        return content, RowFile(name=name, kind=kind, rows=0, bad=0, broken=True)
    fate = RowFile(name=name, kind=kind, rows=table.size, bad=table.bad, broken=kind == TRUNCATED)
    return content, fate
