"""Sample dumps for a first look: every shape of file, duplicates and bad records, and what is to come of it.

Made deterministically; the same on every machine. Decides nothing about loading.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

_WORDS = (
    "harbour lantern orchard signal meadow copper winter thunder paper garden silver bridge station mirror "
    "island market violet engine summit river castle forest window candle anchor compass feather planet"
)
WORDS = _WORDS.split()

TABLE_KEYS = {"readings": "device:S,at:N"}
"""Tables whose key is not ``id``."""

MESSAGES, CORRECTIONS, READINGS, ORDERS = 6_000, 500, 2_000, 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample file and its expected fate.

    Attributes:
        name: File name.
        read: Records in it.
        rejected: How many of them break the contract.
        about: What it shows.
        entity: Whose inbox it goes to.
    """

    name: str
    table: str
    read: int
    rejected: int
    about: str
    entity: str = "messages"


SAMPLES = (
    Sample(
        name="messages-dump.json",
        table="messages",
        read=MESSAGES,
        rejected=0,
        about='{"Items": [...]}, cut into several chunks',
    ),
    Sample(
        name="messages.json",
        table="messages",
        read=CORRECTIONS,
        rejected=0,
        about="a bare array with later versions of 500 of these messages",
    ),
    Sample(
        name="readings-dump.jsonl.gz",
        table="readings",
        read=READINGS,
        rejected=0,
        about="JSON lines, gzip, key of two parts, 100 duplicates",
    ),
    Sample(
        name="orders-dump.json",
        table="orders",
        read=ORDERS,
        rejected=0,
        about="DynamoDB-typed lines of an export, numbers of 38 digits",
    ),
    Sample(
        name="visitors-dump.json",
        table="visitors",
        read=400,
        rejected=7,
        about="good records among seven hostile ones",
    ),
)


def write_samples(folder: Path) -> list[Path]:
    """Write all files into ``folder``; each appears there complete, by a rename."""
    folder.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[], bytes]] = {
        "messages-dump.json": _wrapped_messages,
        "messages.json": _corrections,
        "readings-dump.jsonl.gz": _readings,
        "orders-dump.json": _orders,
        "visitors-dump.json": _visitors,
    }
    drafts = []
    for sample in SAMPLES:
        draft = folder / f".{sample.name}.tmp"
        draft.write_bytes(makers[sample.name]())
        drafts.append((draft, folder / sample.name))
    # All at once, so that one listing of the inbox sees all of them.
    for draft, path in drafts:
        os.replace(draft, path)
    return [path for _, path in drafts]


def _wrapped_messages() -> bytes:
    rng = Random("messages")
    body = b",\n".join(_json(_message(rng, number, 1)) for number in range(MESSAGES))
    return b'{"Count":%d,"ScannedCount":%d,"Items":[\n%s\n]}\n' % (MESSAGES, MESSAGES, body)


def _corrections() -> bytes:
    rng = Random("corrections")
    numbers = sorted(rng.sample(range(MESSAGES), CORRECTIONS))
    return b"[" + b",".join(_json(_message(rng, number, 2)) for number in numbers) + b"]"


def _message(rng: Random, number: int, version: int) -> dict[str, object]:
    return {
        "id": f"message-{number:05d}",
        "version": version,
        "sender": f"{rng.choice(WORDS)}@{rng.choice(WORDS)}.example",
        "subject": _text(rng, 8),
        "sent_at": 1_760_000_000 + number * 7,
        "score": rng.randrange(10_000) / 100,
        "tags": rng.sample(WORDS, 3),
        "thread": {"id": number // 20, "open": rng.random() < 0.5, "note": None},
        "body": _text(rng, 40),
        "attachment": rng.choice(WORDS) * 400,
    }


def _readings() -> bytes:
    rng = Random("readings")
    lines = [
        {
            "device": f"sensor-{number % 40:02d}",
            "at": 1_760_000_000 + number // 40,
            "value": rng.randrange(4096),
        }
        for number in range(READINGS - 100)
    ]
    lines += [{**line, "value": -1} for line in lines[:100]]
    return gzip.compress(b"".join(_json(line) + b"\n" for line in lines), compresslevel=6, mtime=0)


def _orders() -> bytes:
    rng = Random("orders")
    return b"".join(_typed_lines(rng))


def _typed_lines(rng: Random) -> Iterator[bytes]:
    for number in range(ORDERS):
        exact = f"{rng.randrange(10**17, 10**18)}.{rng.randrange(10**19, 10**20)}"
        item = {
            "id": {"S": f"order-{number:04d}"},
            "total": {"N": exact},
            "paid": {"BOOL": number % 3 == 0},
            "codes": {"SS": sorted({rng.choice(WORDS), rng.choice(WORDS)})},
            "lines": {"L": [{"M": {"sku": {"S": rng.choice(WORDS)}, "count": {"N": str(rng.randrange(9))}}}]},
        }
        yield _json({"Item": item}) + b"\n"


def _visitors() -> bytes:
    rng = Random("visitors")
    records = [_json({"id": f"visitor-{number:03d}", "visits": rng.randrange(99)}) for number in range(393)]
    for place, record in zip(range(20, 400, 50), _hostile(), strict=False):
        records.insert(place, record)
    return b"[\n" + b",\n".join(records) + b"\n]\n"


def _hostile() -> Iterable[bytes]:
    """Seven records that no table takes."""
    return (
        b'{"visits":1}',
        b'{"id":"","visits":2}',
        b'{"id":17,"visits":3}',
        b'{"id":"too-long-a-number","visits":123456789012345678901234567890123456789}',
        b'{"id":"too-large-a-number","visits":1e200}',
        _json({"id": "too-large-an-item", "note": "x" * (400 * 1024)}),
        b'"not an object"',
    )


def _text(rng: Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
