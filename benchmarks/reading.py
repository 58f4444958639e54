"""Claims: reading of dump files of several shapes, beside ijson (yajl2_c) on the same file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.claims import Claim, Scale, Stage, times, usual_columns
from benchmarks.frame import Done, Row, Work
from benchmarks.our_way import whole_chunk
from benchmarks.samples import compact
from ingest_project.core.model import Position
from ingest_project.sources.dumps import DumpSource, list_files

PEER, LOAD = "ijson, yajl2_c", "json.load"
SURVEY, READ, DICTS = "survey", "read: slices", "read: dicts with Decimal"
ZIPPED = "of the file in gzip: "

TIGHT, SPACED, LINES = (
    (b'{"Items":[', b",", b"]}"),
    (b'{"Items":[\n  ', b",\n  ", b"\n]}\n"),
    (b"", b"\n", b"\n"),
)


def usual(number: int) -> bytes:
    """About 1 KB, 24 attributes: one long text, many short ones, a list and an object."""
    texts = {f"attribute_{index}": f"value {number + index * 7919}" for index in range(14)}
    numbers = {"count": number, "price": number + 0.25, "sent": 1_700_000_000 + number}
    rest = {"done": number % 2 == 0, "note": None, "text": "lorem ipsum dolor " * 20, "tags": ["a", "b", "c"]}
    inner = {"x": 1, "y": [1, 2, 3], "z": "text"}
    return compact({"id": f"message-{number:012d}", **texts, **numbers, **rest, "inner": inner})


def wordy(number: int) -> bytes:
    """About 1 KB, 9 attributes, nearly all of it long texts: the kindest case for any parser."""
    texts = {f"attribute_{index}": f"value {number} " + "lorem ipsum " * 9 for index in range(8)}
    return compact({"id": f"message-{number:012d}", **texts})


def nested(number: int) -> bytes:
    """Inner objects that look like outer ones, separators in strings."""
    kids = [{"id": str(kid), "text": '"},{"id":"'} for kid in range(12)]
    return compact({"id": str(number), "kids": kids})


def huge(number: int) -> bytes:
    """One item of 4 MB."""
    parts = b",".join(b'"part %d"' % part for part in range(320_000))
    return b'{"id":"%d","parts":[%b]}' % (number, parts)


def deep(number: int) -> bytes:
    """An item of 2,000 levels."""
    return b'{"id":"%d","a":' % number + b"[" * 2000 + b"]" * 2000 + b"}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A file to read. ``form``: what stands before, between and behind its records."""

    title: str
    make: Callable[[int], bytes]
    form: tuple[bytes, bytes, bytes] = TIGHT
    share: float = 1.0


SHAPES = {
    "items": Shape(title='`{"Items":[...]}`, items of 1 KB with 24 attributes', make=usual),
    "spaced": Shape(title="the same, an item a line with blanks", make=usual, form=SPACED),
    "texts": Shape(title="items of 1 KB, nearly all long texts", make=wordy),
    "lines": Shape(title="JSON lines of 1 KB with 24 attributes", make=usual, form=LINES),
    "nested": Shape(title="hostile: inner objects like outer ones, separators inside strings", make=nested),
    "huge": Shape(title="hostile: items of 4 MB", make=huge),
    "deep": Shape(title="hostile: items of 2,000 levels", make=deep, share=1 / 16),
}


def written(path: Path, size: int, shape: Shape) -> Path:
    head, glue, tail = shape.form
    count = int(size * shape.share) // (len(shape.make(1000)) + len(glue))
    with path.open("wb") as file:
        file.write(head + shape.make(0))
        file.writelines(glue + shape.make(number) for number in range(1, count))
        file.write(tail)
    return path


def of_file(path: Path, measure: Callable[[], int]) -> Work:
    """Work over a file whose JSON has the size of ``path``; ``measure`` returns the number of records."""
    units = path.stat().st_size / 1e6

    def work() -> Done:
        assert measure()
        return Done(units=units)

    return work


def surveying(path: Path, plain: Path) -> Work:
    return of_file(plain, lambda: DumpSource().index(list_files(str(path))[0]).records)


def reading(path: Path, plain: Path, decoded: bool = False) -> Work:
    """The whole file as one chunk; its survey is not part of the work."""
    chunk = whole_chunk(path)
    decode = msgspec.json.Decoder(list[Any], float_hook=Decimal).decode

    def count() -> int:
        batches = DumpSource().read(chunk, Position())
        if decoded:
            return sum(len(decode(b"[%b]" % b",".join(batch.raws))) for batch in batches)
        return sum(len(batch.raws) for batch in batches)

    return of_file(plain, count)


def with_ijson(path: Path, prefix: str) -> Work:
    import ijson.backends.yajl2_c as ijson

    def count() -> int:
        with path.open("rb") as file:
            found: Iterable[Any] = ijson.items(file, prefix, multiple_values=True, buf_size=1 << 16)
            return sum(1 for _ in found)

    return of_file(path, count)


def with_json_load(path: Path) -> Work:
    def count() -> int:
        with path.open("rb") as file:
            return len(json.load(file, parse_float=Decimal)["Items"])

    return of_file(path, count)


@contextmanager
def prepare(name: str, scale: Scale, folder: Path) -> Iterator[Stage]:
    shape = SHAPES[name]
    path = written(folder / f"{name}.json", scale.of(8, 64) << 20, shape)
    own = {"path": path, "plain": path}
    prefix = "" if shape.form is LINES else "Items.item"
    rows = [
        Row(name=PEER, make=with_ijson, given={"path": path, "prefix": prefix}),
        Row(name=SURVEY, make=surveying, given=own, ours=True),
        Row(name=READ, make=reading, given=own, ours=True),
    ]
    if name == "items":
        packed = folder / "items.json.gz"
        packed.write_bytes(gzip.compress(path.read_bytes(), 6))
        rows += [
            Row(name=DICTS, make=reading, given={**own, "decoded": True}, ours=True),
            Row(name=f"{ZIPPED}{SURVEY}", make=surveying, given={**own, "path": packed}, ours=True),
            Row(name=f"{ZIPPED}{READ}", make=reading, given={**own, "path": packed}, ours=True),
            Row(name=LOAD, make=with_json_load, given={"path": path}),
        ]
    yield Stage(rows=rows)


def claim(name: str, shape: Shape) -> Claim:
    against = [*times(PEER, "ijson", clock=True, gated=True)]
    if name == "items":
        against += [*times(LOAD, LOAD), *times(READ, "plain read", clock=True)]
    return Claim(
        name=f"reading-{name}",
        family="reading",
        title=f"Reading: {shape.title}",
        unit="MB",
        columns=usual_columns("MB"),
        against=against,
        prepare=partial(prepare, name),
        short=name in ("items", "nested"),
    )


CLAIMS = tuple(claim(name, shape) for name, shape in SHAPES.items())
