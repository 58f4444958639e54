"""CI's gate: the short version's ratios beside those that are committed. Measures and prints nothing.

Only ratios of what does not depend on the clock are watched: CPU time and memory, ours to a peer's.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from benchmarks.claims import Claim
from benchmarks.table import Result

COMMITTED = Path(__file__).with_name("committed.json")
LEAST = 0.7
"""Share of a committed ratio that must be reached."""

Ratios = Mapping[str, Mapping[str, float]]
"""Row -> what is compared -> median of the rounds."""


def watched(claim: Claim, result: Result) -> Ratios:
    """The ratios of a result that are compared."""
    found: dict[str, dict[str, float]] = {}
    for row in result.ours:
        for one in claim.against:
            if one.gated and row != one.peer and row in result.samples:
                found.setdefault(row, {})[one.title] = statistics.median(one.ratios(result.samples, row))
    return found


def shortfalls(found: Ratios, committed: Ratios) -> list[str]:
    """One sentence for each committed ratio that is missing or under LEAST of what it was."""
    said = []
    for row, ratios in committed.items():
        for title, ratio in ratios.items():
            now = found.get(row, {}).get(title)
            if now is None:
                said.append(f"{row}, {title}: not measured; committed is {ratio:.3g}")
            elif now < LEAST * ratio:
                said.append(f"{row}, {title}: {now:.3g} is {now / ratio:.0%} of the committed {ratio:.3g}")
    return said


def read(path: Path = COMMITTED) -> dict[str, Ratios]:
    """Claim -> ratios."""
    found: dict[str, Ratios] = json.loads(path.read_text())
    return found


def least(runs: Sequence[Ratios]) -> Ratios:
    """Of each ratio the least of the runs: other work on the machine costs a peer more, or less, than us."""
    return {
        row: {title: min(run[row][title] for run in runs) for title in ratios}
        for row, ratios in runs[0].items()
    }


def write(ratios: Mapping[str, Ratios], kept: Collection[str], path: Path = COMMITTED) -> None:
    """Commit these beside what is known of other claims, if their names are among ``kept``."""
    known = {name: found for name, found in read(path).items() if name in kept} if path.exists() else {}
    rounded = {
        claim: {
            row: {title: float(f"{one:.3g}") for title, one in ones.items()} for row, ones in rows.items()
        }
        for claim, rows in ratios.items()
    }
    path.write_text(json.dumps(known | rounded, indent=1) + "\n")
