"""What a record costs from JSON to its part line and on to its bulk body, beside boto3 in the same run.

``python benchmarks/encoding.py [--records N] [--rounds N]`` prints CPU microseconds a record, medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from boto3.dynamodb.types import TypeSerializer

from ingest_project.core.model import KeySchema, Position, RecordBatch
from ingest_project.formats.admission import ItemAdmission
from ingest_project.formats.bulk import bulk_body, bulk_encoder
from ingest_project.formats.dynamodb_json import encode_record
from ingest_project.formats.parts import decode_lines, encode_lines, encode_side

KEYS = KeySchema(parts=(("id", "S"),))
RECORDS_A_BATCH = 30


class Claim(NamedTuple):
    """One row of the table; its ratio is taken against the row named ``peer``."""

    name: str
    work: Callable[[], object]
    peer: str = ""


def wide(number: int) -> dict[str, object]:
    """14 attributes, about 1.1 KB."""
    texts = {f"attribute_{index}": f"value {number} " + "lorem ipsum " * 7 for index in range(8)}
    numbers: dict[str, object] = {"count": number, "price": number + 0.25, "sent": 1_700_000_000 + number}
    return {"id": f"message-{number:012d}", **texts, **numbers, "done": number % 2 == 0, "note": None}


def narrow(number: int) -> dict[str, object]:
    """4 attributes, about 220 B."""
    return {"id": f"row-{number:012d}", "count": number, "ratio": number + 0.5, "text": "lorem ipsum " * 12}


def ragged(number: int) -> dict[str, object]:
    """``wide`` with attributes that are missing or null at times, a list and nested objects."""
    items = enumerate(wide(number).items())
    record = {name: value for at, (name, value) in items if not at or at * number * 7919 % 31 > 5}
    files = [{"name": f"file {index}", "size": index} for index in range(number % 4)]
    return record | {"reference": None if number % 3 else f"r{number}", "files": files}


def dumped(records: Sequence[dict[str, object]]) -> list[bytes]:
    return [json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() for record in records]


def with_boto3(raws: Sequence[bytes]) -> list[bytes]:
    serialize = TypeSerializer().serialize
    lines = []
    for raw in raws:
        item = json.loads(raw, parse_float=Decimal)
        lines.append(json.dumps({"Item": {name: serialize(value) for name, value in item.items()}}).encode())
    return lines


def with_admission(raws: Sequence[bytes]) -> list[bytes]:
    admission = ItemAdmission(KEYS)
    lines: list[bytes] = []
    for first in range(0, len(raws), RECORDS_A_BATCH):
        group = raws[first : first + RECORDS_A_BATCH]
        batch = RecordBatch(first=first, raws=group, offsets=range(len(group)), after=Position(first))
        lines += admission(batch).lines
    return lines


def exactly(raws: Sequence[bytes]) -> list[bytes]:
    return [encode_record(raw, KEYS).text for raw in raws]


def claims(count: int) -> list[Claim]:
    found = []
    for make in (wide, narrow, ragged):
        raws = dumped([make(number) for number in range(count)])
        lines = exactly(raws)
        assert lines == with_admission(raws)
        name, peer = make.__name__, f"{make.__name__}: boto3 TypeSerializer, json.dumps"
        found += [
            Claim(peer, lambda raws=raws: with_boto3(raws)),
            Claim(f"{name}: exact way", lambda raws=raws: exactly(raws), peer),
            Claim(f"{name}: templates", lambda raws=raws: with_admission(raws), peer),
            Claim(f"{name}: export lines", lambda lines=lines: with_admission(lines), peer),
            Claim(
                f"{name}: bulk bodies, exact way",
                lambda lines=lines: [bulk_body(line, KEYS) for line in lines],
            ),
            Claim(f"{name}: bulk bodies, templates", lambda lines=lines: bulk_encoder(KEYS)(lines)),
            Claim(f"{name}: parts written and read", lambda lines=lines: stored(lines)),
        ]
    return found


def bulk_exactly(lines: Sequence[bytes]) -> list[bytes]:
    return [bulk_body(line, KEYS) for line in lines]


def stored(lines: Sequence[bytes]) -> int:
    side = encode_side(range(len(lines)), [b"%016d" % number for number in range(len(lines))], 0)
    return len(side) + sum(len(block) for block in decode_lines([encode_lines(lines)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    table = claims(options.records)
    costs: dict[str, list[float]] = {claim.name: [] for claim in table}
    for _ in range(options.rounds):
        for claim in table:
            started = time.process_time()
            claim.work()
            costs[claim.name].append((time.process_time() - started) / options.records * 1e6)
    print(f"{'CPU us a record':46} {'median':>8} {'x boto3':>8}")
    for claim in table:
        median = statistics.median(costs[claim.name])
        ratio = f"{statistics.median(costs[claim.peer]) / median:8.1f}" if claim.peer else ""
        print(f"{claim.name:46} {median:8.2f} {ratio:>8}")


if __name__ == "__main__":
    main()
