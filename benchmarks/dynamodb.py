"""Claims: how fast one core feeds DynamoDB from a file, beside every other client that can be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import dynamodb_peers as peers
from benchmarks import our_way
from benchmarks.claims import BUSY, Claim, Scale, Stage, times, usual_columns
from benchmarks.frame import Row, service
from benchmarks.limit import limit
from benchmarks.samples import Record, export_line, narrow, plain_line, wide, write_lines

SIZES: dict[str, Callable[[int], Record]] = {"1k": wide, "220b": narrow}
WORDS = {"1k": "1.1 KB", "220b": "220 B"}
LATENCY = 0.01
ONE_PASS, WHOLE = "file to sink", "ingest load"
WRITER, TYPED, LIMIT = "boto3 batch_writer", "boto3 client, typed items", "limit: bodies built"
CONNECTIONS = 64
TURNS = 3
"""Of a round where the service answers at once, so that each row computes all the time. To open connections
and learn a shape takes each turn some 10 to 60 ms of its half second."""
LIMIT_BODIES = 20_000
"""Items of the limit's bodies, which are held in memory and sent again and again."""

NOTE = (
    f"`{ONE_PASS}` is the hot path alone: source, contract, loader and sink in one pass over the surveyed "
    f"file. `{WHOLE}` is the whole job in a process of its own: survey, contract, parts on disk, who "
    "supersedes whom, ledger, delivery, and the start of Python."
)
EXPORT_NOTE = (
    f" `{TYPED}` is the shortest way boto3 has for export lines: what `json.loads` made goes into the "
    "low-level client as it is. The other peers take Python values only."
)


@contextmanager
def prepare(size: str, export: bool, delay: float, scale: Scale, folder: Path) -> Iterator[Stage]:
    turns = scale.of(1, 1 if delay else TURNS)
    items, few = scale.of(20_000, 100_000 if delay else 60_000), scale.of(1_000, 2_500 if delay else 1_000)
    form = export_line if export else plain_line
    path = write_lines(folder / "null.jsonl", SIZES[size], form, items)
    with service("benchmarks.null_service", "--delay", str(delay)) as server:
        file = {"url": server.url, "path": path}
        rows = [Row(name=WRITER, make=peers.batch_writer, given={**file, "items": few, "export": export})]
        if export:
            rows.append(Row(name=TYPED, make=peers.typed_client, given={**file, "items": few}))
        rows += other_peers({**file, "items": 8 * few, "export": export}) if scale.name != "short" else []
        rows.append(Row(name=ONE_PASS, make=our_way.one_pass, given=file, ours=True))
        if scale.name != "short":
            rows.append(whole_job(server.url, size, form, folder))
        bodies = {
            "items": min(items, LIMIT_BODIES),
            "stage": "table",
            "repeat": scale.of(1, 5),
        }
        rows.append(Row(name=LIMIT, make=limit, given={**file, **bodies, "connections": CONNECTIONS}))
        rows = [row if row.name == WHOLE else replace(row, turns=turns) for row in rows]
        yield Stage(rows=rows, services=(server.pid,), note=NOTE + EXPORT_NOTE if export else NOTE)


def other_peers(given: dict[str, object]) -> list[Row]:
    return [
        Row(name="aiodynamo", make=peers.with_aiodynamo, given=given, needs=("aiodynamo",)),
        Row(name="pydynox", make=peers.with_pydynox, given=given, needs=("pydynox",)),
    ]


def whole_job(url: str, size: str, form: Callable[[Record], bytes], folder: Path) -> Row:
    """Of more items, so that the start of the process is one of many seconds."""
    path = write_lines(folder / "job.jsonl", SIZES[size], form, 200_000)
    given = {"url": url, "files": [str(path)], "home": folder / "home"}
    return Row(name=WHOLE, make=our_way.ingest_load, given=given, warm=False, ours=True)


def claim(size: str, export: bool, delay: float, *, short: bool = False) -> Claim:
    form, pause = "export" if export else "json", f"{delay * 1000:.0f}ms"
    against = [*times(WRITER, "batch_writer", clock=True, gated=True)]
    against += times(TYPED, "client") if export else times("pydynox", "pydynox")
    against += times(LIMIT, "limit", clock=True)
    lines = "export lines" if export else "plain JSON lines"
    return Claim(
        name=f"dynamodb-{size}-{form}-{pause}",
        family="dynamodb",
        title=f"DynamoDB from a file: items of {WORDS[size]}, {lines}, {pause} a write",
        unit="item",
        columns=(*usual_columns("item"), BUSY),
        against=against,
        prepare=partial(prepare, size, export, delay),
        short=short,
    )


CLAIMS = tuple(
    claim(size, export, delay, short=not delay and size == "1k")
    for delay in (0.0, LATENCY)
    for size in SIZES
    for export in (False, True)
)
