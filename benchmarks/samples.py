"""Records of known shapes, and files of them. Reads and measures nothing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

Record = dict[str, Any]

_LETTERS = "etaoinshrdlucmfwyp"
WORDS = ["".join(Random(seed).choices(_LETTERS, k=2 + seed % 11)) for seed in range(2000)]


def wide(number: int) -> Record:
    """14 attributes, about 1.1 KB."""
    texts = {f"attribute_{index}": f"value {number} " + "lorem ipsum " * 8 for index in range(8)}
    numbers = {"count": number, "price": number + 0.25, "sent": 1_700_000_000 + number}
    return {"id": f"message-{number:012d}", **texts, **numbers, "done": number % 2 == 0, "note": None}


def narrow(number: int) -> Record:
    """4 attributes, about 220 B."""
    return {"id": f"row-{number:012d}", "count": number, "ratio": number + 0.5, "text": "lorem ipsum " * 13}


def ragged(number: int) -> Record:
    """``wide`` with attributes that are missing or null at times, a list and nested objects."""
    items = enumerate(wide(number).items())
    record = {name: value for at, (name, value) in items if not at or at * number * 7919 % 31 > 5}
    files = [{"name": f"file {index}", "size": index} for index in range(number % 4)]
    return record | {"reference": None if number % 3 else f"r{number}", "files": files}


def message(number: int) -> Record:
    """14 attributes, about 1 KB, as chat messages have them: texts, numbers, a list, an object."""
    mixed = number * 2_654_435_761 % 2**32
    return {
        "id": f"m-{number:09d}",
        "session": f"s{number // 7}",
        "user": f"user{mixed % 100_000}",
        "ts": 1_700_000_000 + number,
        "role": "user" if number % 2 else "assistant",
        "tokens": mixed % 4000,
        "score": round(mixed / 2**32, 6),
        "ok": number % 3 == 0,
        "none": None,
        "tags": ["a", "b", str(number % 17)],
        "meta": {"lang": "de", "v": number % 5, "src": "web"},
        "preview": "x" * (60 + number % 40),
        "content": "lorem ipsum dolor sit amet " * 22,
        "price": "12.50",
    }


def prose(number: int) -> Record:
    """About 1 KB of 2,000 different words at random: gzip makes of it a third, as it does of natural text."""
    random = Random(number)
    words = " ".join(WORDS[int(random.random() ** 3 * len(WORDS))] for _ in range(140))
    return {"id": f"p-{number:09d}", "ts": 1_700_000_000 + number, "text": words}


def large(number: int) -> Record:
    """A document of about 10 KB."""
    texts = {f"attribute_{index}": f"value {number} " + "lorem ipsum " * 7 for index in range(92)}
    return {"id": f"message-{number:012d}", "count": number, **texts}


def typed(value: Any) -> dict[str, Any]:
    """A value as DynamoDB JSON."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, dict):
        return {"M": {name: typed(one) for name, one in value.items()}}
    if isinstance(value, list):
        return {"L": [typed(one) for one in value]}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def plain_line(record: Record) -> bytes:
    return compact(record)


def export_line(record: Record) -> bytes:
    """A line of an export to S3, which is a part line."""
    return compact({"Item": {name: typed(value) for name, value in record.items()}})


def write_lines(
    path: Path, make: Callable[[int], Record], line: Callable[[Record], bytes], count: int
) -> Path:
    """JSON lines."""
    with path.open("wb") as file:
        file.writelines(line(make(number)) + b"\n" for number in range(count))
    return path


def write_dump(path: Path, size: int, make: Callable[[int], Record] = message) -> Path:
    """``{"Items":[...]}`` of about ``size`` bytes."""
    written, glue = 12, b""
    with path.open("wb") as file:
        file.write(b'{"Items":[')
        for number in itertools.count():
            written += file.write(glue + compact(make(number)))
            glue = b","
            if written >= size:
                break
        file.write(b"]}")
    return path


def first_lines(path: Path, count: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from itertools.islice(file, count)
