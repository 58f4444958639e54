"""Reading of dump files, each way in turn in every round, beside ijson (yajl2_c) on the same file.

``python benchmarks/reading.py [--mb N] [--rounds N] [--pin]`` prints MB/s of decompressed JSON (medians), the
ratio to ijson in wall time (median, least, greatest over the rounds) and in CPU time. ``--pin``: on one core.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import ijson.backends.yajl2_c as ijson
import msgspec

from ingest_project.core.model import Chunk, FileIndex, FileRange, KeySchema, Position
from ingest_project.sources.dumps import DumpSource, list_files

DECIMALS = msgspec.json.Decoder(list[Any], float_hook=Decimal)


class Way(NamedTuple):
    """One way of reading one file; returns the number of records."""

    name: str
    path: Path
    work: Callable[[Path], int]


def item(number: int) -> bytes:
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


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def nested(number: int) -> bytes:
    """Inner objects that look like outer ones, separators in strings."""
    kids = [{"id": str(kid), "text": '"},{"id":"'} for kid in range(12)]
    return compact({"id": str(number), "kids": kids})


def written(path: Path, size: int, make: Callable[[int], bytes], form: tuple[bytes, bytes, bytes]) -> Path:
    head, glue, tail = form
    count = size // (len(make(1000)) + len(glue))
    with path.open("wb") as file:
        file.write(head + make(0))
        for number in range(1, count):
            file.write(glue + make(number))
        file.write(tail)
    return path


def huge(number: int) -> bytes:
    """One item of 4 MB."""
    return (
        b'{"id":"%d","parts":[' % number + b",".join(b'"part %d"' % part for part in range(320_000)) + b"]}"
    )


def deep(number: int) -> bytes:
    """An item of 2,000 levels."""
    return b'{"id":"%d","a":' % number + b"[" * 2000 + b"]" * 2000 + b"}"


KNOWN: dict[Path, FileIndex] = {}


def with_survey(path: Path) -> int:
    return DumpSource().index(list_files(str(path))[0]).records


def batches(path: Path) -> Iterable[Any]:
    """The whole file as one chunk; its survey is made once and not in the time of a read."""
    source, file = DumpSource(), list_files(str(path))[0]
    index = KNOWN.get(path) or KNOWN.setdefault(path, source.index(file))
    span = FileRange(uri=file.uri, etag=file.etag, start=index.marks[0].offset, end=index.end)
    chunk = Chunk(
        entity="bench",
        date="2026-01-01",
        slot=0,
        target="bench",
        keys=KeySchema(parts=(("id", "S"),)),
        range=span,
        shape=index.shape,
        compression=index.compression,
        records=index.records,
    )
    return source.read(chunk, Position())


def with_read(path: Path) -> int:
    return sum(len(batch.raws) for batch in batches(path))


def with_dicts(path: Path) -> int:
    return sum(len(DECIMALS.decode(b"[%b]" % b",".join(batch.raws))) for batch in batches(path))


def with_ijson(prefix: str) -> Callable[[Path], int]:
    def work(path: Path) -> int:
        with path.open("rb") as file:
            found = ijson.items(file, prefix, multiple_values=True, buf_size=1 << 16)
            return sum(1 for _ in found)

    return work


def with_json_load(path: Path) -> int:
    with path.open("rb") as file:
        return len(json.load(file, parse_float=Decimal)["Items"])


def ways(folder: Path, size: int) -> list[Way]:
    tight, spaced = (b'{"Items":[', b",", b"]}"), (b'{"Items":[\n  ', b",\n  ", b"\n]}\n")
    plain = written(folder / "items.json", size, item, tight)
    files = [
        (plain, "Items.item"),
        (written(folder / "spaced.json", size, item, spaced), "Items.item"),
        (written(folder / "long texts.json", size, wordy, tight), "Items.item"),
        (written(folder / "items.jsonl", size, item, (b"", b"\n", b"\n")), ""),
        (written(folder / "hostile, nested.json", size, nested, tight), "Items.item"),
        (written(folder / "hostile, huge.json", size, huge, tight), "Items.item"),
        (written(folder / "hostile, deep.json", size // 16, deep, tight), "Items.item"),
    ]
    found = []
    for path, prefix in files:
        found.append(Way(f"{path.name}: ijson", path, with_ijson(prefix)))
        found.append(Way(f"{path.name}: survey", path, with_survey))
        found.append(Way(f"{path.name}: read", path, with_read))
        if path == plain:
            found.append(Way(f"{path.name}: read to dicts, Decimal", path, with_dicts))
            found.append(Way(f"{path.name}: json.load", path, with_json_load))
            packed = folder / "items.json.gz"
            packed.write_bytes(gzip.compress(path.read_bytes(), 6))
            found.append(Way(f"{packed.name}: survey", packed, with_survey))
            found.append(Way(f"{packed.name}: read", packed, with_read))
    return found


def run(folder: Path, size: int, rounds: int) -> None:
    table = ways(folder, size)
    seconds: dict[str, list[float]] = {way.name: [] for way in table}
    cpu: dict[str, list[float]] = {way.name: [] for way in table}
    for _ in range(rounds):
        for way in table:
            started = time.perf_counter()
            processor = time.process_time()
            assert way.work(way.path)
            cpu[way.name].append(time.process_time() - processor)
            seconds[way.name].append(time.perf_counter() - started)
    print(f"{'':44} {'MB/s':>6} {'x ijson':>8} {'least':>7} {'most':>7} {'x CPU':>7}")
    peer, sized = table[0].name, table[0].path
    for way in table:
        if way.name.endswith("ijson"):
            peer, sized = way.name, way.path
        rate = sized.stat().st_size / statistics.median(seconds[way.name]) / 1e6
        ratios = [one / own for one, own in zip(seconds[peer], seconds[way.name], strict=True)]
        spread = f"{statistics.median(ratios):8.2f} {min(ratios):7.2f} {max(ratios):7.2f}"
        relative = statistics.median(cpu[peer]) / statistics.median(cpu[way.name])
        print(f"{way.name:44} {rate:6.0f} {spread} {relative:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pin", action="store_true")
    options = parser.parse_args()
    if options.pin:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), options.mb << 20, options.rounds)


if __name__ == "__main__":
    main()
