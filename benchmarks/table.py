"""Results as tables and as JSON. A table is made of the samples alone: a file can be shown again."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.claims import Claim, Samples, Scale, Stage, spread
from benchmarks.frame import ALL_CORES, Sample

RESULTS = Path(__file__).with_name("results")
PEERS = ("boto3", "pydynox", "aiodynamo", "opensearch-py", "ijson", "dagster", "msgspec", "uvloop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A claim as it was measured once."""

    claim: str
    scale: str
    made: str
    machine: str
    versions: Mapping[str, str]
    note: str
    ours: Sequence[str]
    samples: Samples

    @property
    def rounds(self) -> int:
        return max(map(len, self.samples.values()), default=0)


def result_of(claim: Claim, scale: Scale, stage: Stage, samples: Samples) -> Result:
    return Result(
        claim=claim.name,
        scale=scale.name,
        made=datetime.now().astimezone().date().isoformat(),
        machine=machine(),
        versions={name: found for name in PEERS if (found := _version(name))},
        note=stage.note,
        ours=tuple(row.name for row in stage.rows if row.ours),
        samples=samples,
    )


def rounds_of(result: Result) -> str:
    return f"{result.rounds} round{'s' * (result.rounds != 1)}"


def machine() -> str:
    """Processor, cores and Python."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.partition(":")[2].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{model}, {len(ALL_CORES)} cores, Python {platform.python_version()}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def keep(result: Result) -> None:
    """Write results/<claim>.json."""
    RESULTS.mkdir(exist_ok=True)
    samples = {name: [one.as_dict() for one in row] for name, row in result.samples.items()}
    words = {name: getattr(result, name) for name in Result.__slots__} | {"samples": samples}
    path = RESULTS / f"{result.claim}.json"
    text = json.dumps(words, default=lambda number: round(number, 9))
    path.write_text(text.replace(', {"units"', ',\n{"units"').replace('"samples"', '\n"samples"') + "\n")


def kept(name: str) -> Result | None:
    """What the last run that was kept had; None when there was none."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return None
    words: dict[str, Any] = json.loads(path.read_text())
    samples = {row: [Sample(**one) for one in found] for row, found in words.pop("samples").items()}
    return Result(**{**words, "ours": tuple(words["ours"])}, samples=samples)


def lines(claim: Claim, result: Result) -> Iterator[str]:
    """The result as a Markdown table, aligned so that it reads as it is."""
    rows = [[*_heading(claim, result)], *(_row(claim, result, name) for name in result.samples)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width if not at else "-" * (width - 1) + ":" for at, width in enumerate(widths)])
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        yield f"| {' | '.join(cells)} |"
    if result.note:
        yield f"\n{result.note}"


def _heading(claim: Claim, result: Result) -> Iterator[str]:
    yield ""
    yield from (column.title for column in claim.columns)
    yield from (one.title for one in claim.against if one.peer in result.samples)


def _row(claim: Claim, result: Result, name: str) -> list[str]:
    found = result.samples[name]
    cells = [name]
    for column in claim.columns:
        figures = [column.of(sample) for sample in found]
        middle = format(statistics.median(figures), column.form)
        cells.append(spread(figures, column.form) if column.spread else middle)
    for one in claim.against:
        if one.peer in result.samples:
            cells.append("" if name == one.peer else spread(one.ratios(result.samples, name), ".3g"))
    return cells
