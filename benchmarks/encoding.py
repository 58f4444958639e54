"""Claims: what a record costs on its way to a part line and a bulk body, beside boto3's serializer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

from benchmarks.claims import Claim, Scale, Stage, times, usual_columns
from benchmarks.frame import Done, Row, Work
from benchmarks.our_way import KEYS
from benchmarks.samples import Record, export_line, message, narrow, plain_line, ragged, wide
from ingest_project.core.model import Position, RecordBatch
from ingest_project.formats.admission import ItemAdmission
from ingest_project.formats.bulk import bulk_body, bulk_encoder
from ingest_project.formats.dynamodb_json import encode_record
from ingest_project.formats.parts import decode_lines, encode_lines, encode_side

SHAPES: dict[str, tuple[Callable[[int], Record], str]] = {
    "wide": (wide, "1.1 KB, 14 attributes"),
    "narrow": (narrow, "220 B, 4 attributes"),
    "ragged": (ragged, "1 KB with attributes that are missing at times, lists and objects"),
    "message": (message, "1 KB as chat messages have them"),
}
RECORDS_A_BATCH = 30
"""As many as the source hands on at once when they have 1 KB."""

PEER, BODIES = "boto3 TypeSerializer", "bulk bodies, exact way"


def exactly(raws: Sequence[bytes]) -> list[bytes]:
    return [encode_record(raw, KEYS).text for raw in raws]


def admitted(raws: Sequence[bytes]) -> list[bytes]:
    admission = ItemAdmission(KEYS)
    lines: list[bytes] = []
    for first in range(0, len(raws), RECORDS_A_BATCH):
        group = raws[first : first + RECORDS_A_BATCH]
        # A source hands on what its decoder has seen: joining takes the place of that here.
        text, offsets = b"[%b]" % b",".join(group), range(len(group))
        batch = RecordBatch(first=first, raws=group, offsets=offsets, after=Position(first), text=text)
        lines += admission(batch).lines
    return lines


def serialized(raws: Sequence[bytes]) -> list[bytes]:
    """json.loads, TypeSerializer, json.dumps."""
    from boto3.dynamodb.types import TypeSerializer

    serialize = TypeSerializer().serialize
    lines = []
    for raw in raws:
        item = json.loads(raw, parse_float=Decimal)
        lines.append(json.dumps({"Item": {name: serialize(value) for name, value in item.items()}}).encode())
    return lines


def bodies_exactly(lines: Sequence[bytes]) -> list[bytes]:
    return [bulk_body(line, KEYS) for line in lines]


def bodies(lines: Sequence[bytes]) -> Sequence[bytes]:
    return bulk_encoder(KEYS)(lines)[0]


def stored(lines: Sequence[bytes]) -> Sequence[bytes]:
    """A part with its side file, compressed, and read again."""
    encode_side(range(len(lines)), [b"%016d" % number for number in range(len(lines))], 0)
    return [line for block in decode_lines([encode_lines(lines)]) for line in block]


def over(way: Callable[[Sequence[bytes]], Sequence[bytes]], shape: str, count: int, form: str) -> Work:
    """``way`` over records of a shape: plain ones, or those of an export."""
    make = export_line if form == "export" else plain_line
    raws = [make(SHAPES[shape][0](number)) for number in range(count)]
    if way is admitted:
        assert exactly(raws) == admitted(raws)

    def work() -> Done:
        assert len(way(raws)) == count
        return Done(units=count)

    return work


@contextmanager
def prepare(shape: str, scale: Scale, folder: Path) -> Iterator[Stage]:
    ways = (
        (PEER, serialized, "plain"),
        ("exact way", exactly, "plain"),
        ("admission", admitted, "plain"),
        ("admission of export lines", admitted, "export"),
        (BODIES, bodies_exactly, "export"),
        ("bulk bodies", bodies, "export"),
        ("parts stored and read", stored, "export"),
    )
    count = 6_000
    yield Stage(
        rows=[
            Row(
                name=name,
                make=over,
                given={"way": way, "shape": shape, "count": count, "form": form},
                ours=name != PEER,
            )
            for name, way, form in ways
        ]
    )


def claim(shape: str) -> Claim:
    return Claim(
        name=f"encoding-{shape}",
        family="encoding",
        title=f"Encoding: records of {SHAPES[shape][1]}",
        unit="record",
        columns=usual_columns("record"),
        against=[*times(PEER, "boto3", gated=True), *times(BODIES, "exact bodies")],
        prepare=partial(prepare, shape),
    )


CLAIMS = tuple(map(claim, SHAPES))
