"""``python -m benchmarks [CLAIM...]``: measures claims, prints tables, keeps results, plots and page.

``--short`` is CI's version: it keeps nothing and fails when a ratio is under 70 % of the committed one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    dynamodb,
    dynamodb_dicts,
    dynamodb_quota,
    encoding,
    gate,
    jobs,
    opensearch,
    opensearch_backpressure,
    page,
    plots,
    reading,
    rows,
    table,
)
from benchmarks.claims import FULL, SHORT, USUAL, Claim, Scale
from benchmarks.frame import measure

CLAIMS: tuple[Claim, ...] = (
    *dynamodb.CLAIMS,
    *dynamodb_dicts.CLAIMS,
    *opensearch.CLAIMS,
    *reading.CLAIMS,
    *rows.CLAIMS,
    *encoding.CLAIMS,
    *jobs.CLAIMS,
    *dynamodb_quota.CLAIMS,
    *opensearch_backpressure.CLAIMS,
)

ALONE = {
    "request_budget": "three entities in two processes keep to one quota of an API",
    "wms_sync": "a million orders over a paged API, killed half way; then delivered",
    "dropship_import": "a hundred CSV exports, stage by stage",
    "dropship_inbox": "a hundred CSV exports dropped into Dagster's inbox",
    "gazettes_pipeline": "ten thousand made gazettes through every step, beside their truth",
    "gazette_indexing": "gazettes in bulk beside one by one",
    "document_ledger": "a ledger of a million gazettes is asked",
    "conversations_migration": "200,000 messages moved, killed on the way, compared",
    "conversations_context": "contexts behind a network of 5 ms, old and new",
    "conversations_memory": "what a session costs in memory",
    "similarity_recall": "whom the similarity search finds among 100,000",
    "similarity_by_size": "the same by messages of a user, with what it reads",
    "cluster_backfill": "one backfill with one worker host and with two",
    "cluster_kills": "a backfill with ten kills and cut links",
    "cluster_quota": "a write quota held by two hosts",
    "cluster_engines": "a run's start by Celery beside dagster-ray",
    "cluster_shapes": "backfills of five shapes on hosts of one machine",
    "cluster_capacity": "the capacity model beside them",
}
"""Modules that are run by themselves: one course of events over minutes, with processes and services of its
own, that has no peer and no rounds. Their figures are kept in the pages on their subjects."""

COMMIT_RUNS = 3


def measured(claim: Claim, scale: Scale) -> table.Result:
    """Measure a claim and print its table."""
    started = time.monotonic()
    print(f"\n{claim.name}: {claim.title}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="ingest-bench-") as folder,
        claim.prepare(scale, Path(folder)) as stage,
    ):
        left_out = {row.name: missing for row in stage.rows if (missing := row.missing())}
        for name, missing in left_out.items():
            print(f"left out: {name}, as {', '.join(missing)} is not installed")
        rows = [row for row in stage.rows if row.name not in left_out]
        samples = measure(rows, claim.rounds_at(scale), stage.services)
        result = table.result_of(claim, scale, stage, samples)
    print("\n".join(["", *table.lines(claim, result)]))
    print(f"\n{table.rounds_of(result)}, {time.monotonic() - started:.0f} s", flush=True)
    return result


def keep(claims: Sequence[Claim], scale: Scale) -> int:
    """Measure, and keep what was found: results, plots, page."""
    for claim in claims:
        table.keep(measured(claim, scale))
    show(claims)
    return 0


def show(claims: Sequence[Claim]) -> None:
    """Draw the plots of these claims' families and fill the page with what is kept."""
    for family in dict.fromkeys(claim.family for claim in claims):
        members = [claim for claim in CLAIMS if claim.family == family]
        kept = [(claim, result) for claim in members if (result := table.kept(claim.name))]
        if kept and plots.plot(family, kept) is None:
            print(f"no plot of {family}: matplotlib is not installed (make bench)")
    page.fill(CLAIMS)


def check(claims: Sequence[Claim]) -> int:
    """Compare with the committed ratios; a claim that falls short is measured once more."""
    committed, fallen = gate.read(), 0
    started = time.monotonic()
    for claim in claims:
        wanted = committed.get(claim.name, {})
        for attempt in ("first", "second"):
            short = gate.shortfalls(gate.watched(claim, measured(claim, SHORT)), wanted)
            for one in short:
                print(f"{claim.name}, {attempt} attempt: {one}")
            if not short:
                break
        else:
            fallen += 1
    print(f"\n{time.monotonic() - started:.0f} s; ratios to the peers:")
    print(f"benchmarks: {len(claims) - fallen} passed, {fallen} failed")
    return 1 if fallen else 0


def commit(claims: Sequence[Claim]) -> int:
    """Take the least ratios of several short runs as those that CI compares with."""
    runs = [
        {claim.name: gate.watched(claim, measured(claim, SHORT)) for claim in claims}
        for _ in range(COMMIT_RUNS)
    ]
    found = {claim.name: gate.least([run[claim.name] for run in runs]) for claim in claims}
    gate.write(found, kept={claim.name for claim in CLAIMS if claim.short})
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="names, or the beginnings of names")
    parser.add_argument("--list", action="store_true", help="the claims' names")
    parser.add_argument("--full", action="store_true", help="with what takes minutes: a file of 2.5 GB")
    parser.add_argument("--short", action="store_true", help="CI's version; keeps nothing")
    parser.add_argument("--commit", action="store_true", help="with --short: these ratios are to be kept up")
    parser.add_argument("--show", action="store_true", help="measure nothing; plots and page of what is kept")
    options = parser.parse_args()
    chosen = tuple(options.claims) or ("",)
    claims = [
        claim for claim in CLAIMS if claim.name.startswith(chosen) and (claim.short or not options.short)
    ]
    if not claims:
        parser.error(f"no claim is called {' '.join(options.claims)}; --list names them")
    if options.list:
        print("\n".join(f"{claim.name:26}{claim.title}" for claim in claims))
        print(
            "\n".join(
                [
                    "\nrun by themselves:",
                    *(f"python -m benchmarks.{name:24}{told}" for name, told in ALONE.items()),
                ]
            )
        )
        return 0
    if options.show:
        show(claims)
        return 0
    if options.short:
        return commit(claims) if options.commit else check(claims)
    return keep(claims, FULL if options.full else USUAL)


if __name__ == "__main__":
    sys.exit(main())
