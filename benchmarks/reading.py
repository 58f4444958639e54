"""Claims: reading of dump files of several shapes, beside ijson (yajl2_c) on the same file."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.claims import Claim, Scale, Stage, times, usual_columns
from benchmarks.frame import ALL_CORES, Done, Row, Work
from benchmarks.our_way import whole_chunk
from benchmarks.samples import compact
from ingest_project.core.model import Position
from ingest_project.sources.dumps import DumpSource, list_files

PEER, LOAD = "ijson, yajl2_c", "json.load"
SURVEY, READ, DICTS = "survey", "read: slices", "read: dicts with Decimal"
ZIPPED = "in gzip: "

TIGHT, SPACED, LINES, GLUED = (
    (b'{"Items":[', b",", b"]}"),
    (b'{"Items":[\n  ', b",\n  ", b"\n]}\n"),
    (b"", b"\n", b"\n"),
    (b"", b"", b""),
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


def varied(number: int) -> bytes:
    """About 1 KB of random words and digits, which gzip makes a third of."""
    dice = random.Random(number)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(20)]
    texts = {f"attribute_{index}": " ".join(dice.choices(words, k=8)) for index in range(12)}
    return compact({"id": f"{dice.getrandbits(128):032x}", **texts, "price": round(dice.random() * 1000, 2)})


def pretty(number: int) -> bytes:
    return json.dumps(json.loads(usual(number)), indent=2).encode()


def page(number: int) -> bytes:
    """A response with 100 items of 120 B."""
    items = b",".join(b'{"id":"%d","text":"%b"}' % (number + one, b"x" * 100) for one in range(100))
    return b'{"Items":[%b],"Count":100}' % items


def alike(number: int) -> bytes:
    """Inner objects that begin and end as the outer ones do."""
    kids = [{"id": str(kid), "text": "x" * 20} for kid in range(12)]
    return compact({"id": str(number), "kids": kids, "name": "z" * 40})


def quoted(number: int) -> bytes:
    """A string of 1 KB that looks like the border of two items all along."""
    return compact({"id": str(number), "text": '"},{"id":"' * 90})


def mixed(number: int) -> bytes:
    """An object, then a number, which is no item."""
    return b'{"id":"%d"},%d' % (number, number)


def broken_text(number: int) -> bytes:
    """A lone surrogate in each item, which no decoder in C takes."""
    return b'{"id":"%d","text":"\\ud800","more":"%b"}' % (number, b"x" * 900)


def whole(_: int) -> bytes:
    """One item that is the whole file."""
    return b'{"id":"1","parts":[%b]}' % b",".join(b'"part %d"' % part for part in range(1_000_000))


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
    """A file to read.

    Attributes:
        form: What stands before, between and behind its records.
        prefix: Where ijson finds them.
    """

    title: str
    make: Callable[[int], bytes]
    form: tuple[bytes, bytes, bytes] = TIGHT
    share: float = 1.0
    prefix: str = ""

    @property
    def place(self) -> str:
        return self.prefix or ("Items.item" if self.form[0] else "")


SHAPES = {
    "items": Shape(title='`{"Items":[...]}`, items of 1 KB with 24 attributes', make=usual),
    "spaced": Shape(title="the same, an item a line with blanks", make=usual, form=SPACED),
    "texts": Shape(title="items of 1 KB, nearly all long texts", make=wordy),
    "lines": Shape(title="JSON lines of 1 KB with 24 attributes", make=usual, form=LINES),
    "nested": Shape(title="hostile: inner objects like outer ones, separators inside strings", make=nested),
    "alike": Shape(title="hostile: inner objects that begin and end like outer ones", make=alike),
    "quoted": Shape(title="hostile: strings full of what separates items", make=quoted),
    "huge": Shape(title="hostile: items of 4 MB", make=huge),
    "whole": Shape(title="hostile: one item of 15 MB", make=whole),
    "deep": Shape(title="hostile: items of 2,000 levels", make=deep, share=1 / 16),
    "mixed": Shape(title="hostile: objects and numbers in turn", make=mixed, share=1 / 4),
    "surrogates": Shape(title="hostile: every item has text that is not Unicode", make=broken_text),
    "pretty": Shape(title="documents over many lines, one behind the other", make=pretty, form=LINES),
    "glued": Shape(title="documents without anything between them", make=usual, form=GLUED),
    "pages": Shape(title="responses of 100 items, one a line", make=page, form=LINES, prefix="Items.item"),
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
    rows = [
        Row(name=PEER, make=with_ijson, given={"path": path, "prefix": shape.place}),
        Row(name=SURVEY, make=surveying, given=own, ours=True),
        Row(name=READ, make=reading, given=own, ours=True),
    ]
    if name == "items":
        rows += [
            Row(name=DICTS, make=reading, given={**own, "decoded": True}, ours=True),
            Row(name=LOAD, make=with_json_load, given={"path": path}),
        ]
    yield Stage(rows=rows)


@contextmanager
def prepare_packed(scale: Scale, folder: Path) -> Iterator[Stage]:
    """Inflating has a core of its own, as it has in any load."""
    path = written(folder / "varied.json", scale.of(8, 64) << 20, Shape(title="", make=varied))
    packed = folder / "varied.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 6))
    rows = []
    for prefix, stored in (("", path), (ZIPPED, packed)):
        own = {"path": stored, "plain": path}
        for name, make, more in (
            (SURVEY, surveying, {}),
            (READ, reading, {}),
            (DICTS, reading, {"decoded": True}),
        ):
            row = Row(name=f"{prefix}{name}", make=make, given={**own, **more}, ours=True, cores=ALL_CORES)
            rows.append(row)
    share = packed.stat().st_size / path.stat().st_size
    yield Stage(rows=rows, note=f"gzip makes {share:.0%} of it.")


def claim(name: str, shape: Shape) -> Claim:
    against = [*times(PEER, "ijson", clock=True, gated=True)]
    if name == "items":
        against += times(LOAD, LOAD)
    return Claim(
        name=f"reading-{name}",
        family="reading",
        title=f"Reading: {shape.title}",
        unit="MB",
        columns=usual_columns("MB"),
        against=against,
        prepare=partial(prepare, name),
        short=name == "items",
    )


PACKED = Claim(
    name="reading-gzip",
    family="reading",
    title="Reading: random words, plain and in gzip, with two cores",
    unit="MB",
    columns=usual_columns("MB"),
    against=[one for peer in (SURVEY, READ, DICTS) for one in times(peer, f"plain {peer}", clock=True)],
    prepare=prepare_packed,
)

CLAIMS = (*(claim(name, shape) for name, shape in SHAPES.items()), PACKED)
