"""``python -m benchmarks [CLAIM...]``: measures claims, prints their tables, keeps the results.

``--short`` is CI's version: it keeps nothing and fails when a ratio is under 70 % of the committed one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import dynamodb, encoding, jobs, opensearch, reading, table
from benchmarks.claims import FULL, SHORT, USUAL, Claim, Scale
from benchmarks.frame import measure

CLAIMS: tuple[Claim, ...] = (
    *dynamodb.CLAIMS,
    *opensearch.CLAIMS,
    *reading.CLAIMS,
    *encoding.CLAIMS,
    *jobs.CLAIMS,
)


def measured(claim: Claim, scale: Scale) -> table.Result:
    with (
        tempfile.TemporaryDirectory(prefix="ingest-bench-") as folder,
        claim.prepare(scale, Path(folder)) as stage,
    ):
        rows = []
        for row in stage.rows:
            missing = row.missing()
            if missing:
                print(f"left out: {row.name}, as {', '.join(missing)} is not installed")
            else:
                rows.append(row)
        return table.result_of(
            claim, scale, measure(rows, claim.rounds or scale.rounds, stage.services), stage.note
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="names, or the beginnings of names")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    scale = SHORT if options.short else FULL if options.full else USUAL
    for claim in CLAIMS:
        if options.claims and not claim.name.startswith(tuple(options.claims)):
            continue
        started = time.monotonic()
        result = measured(claim, scale)
        print(f"\n{claim.name}: {claim.title}\n")
        print("\n".join(table.lines(claim, result)))
        print(f"({result.rounds} rounds, {time.monotonic() - started:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
