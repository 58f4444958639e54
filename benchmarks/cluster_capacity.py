"""``python -m benchmarks.cluster_capacity``: the capacity model beside measured backfills of a cluster.

The model's figures are taken from some of the measured backfills (the file's ``calibrate``), the others
(``held_out``: other numbers of hosts, runs at once, runs, rows, delays) are predicted from their shape alone.
``--shapes FILE`` takes those that ``benchmarks.cluster_shapes --out FILE`` has measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from benchmarks.cluster_shapes import CALIBRATE
from ingest_project.core.fleet import Fleet
from ingest_project.core.fleet_forecast import Load, forecast
from ingest_project.core.run_pace import Share
from ingest_project.resources.fleet_costs import COSTS

KEPT = Path(__file__).with_name("results") / "cluster_capacity.json"
SHAPE = (
    "workers",
    "at_once",
    "most_runs",
    "partitions",
    "bytes",
    "records",
    "delay",
    "in_flight",
    "wall_s",
    "our_cores",
)
RUN = ("queued", "ended", "wait_s", "taken_s", "start_s", "run_s", "records", "steps")
ROWS_A_REQUEST = 25
TRIALS = 40

LOOK = 1.0
"""dequeue_seconds of deploy/cluster."""

CORES = 2
"""Of the machine that all hosts were on."""
MOST_CORES = 3

Backfill = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is taken from the backfills that the model is calibrated on; seconds.

    Attributes:
        submit: From a run's entry into Dagster's queue to the next one's.
        launch: From there to the broker.
        start: From there, once a worker is free, to the run's first word, where fewest runs are at once.
        fixed: Of a run beside its requests, there too.
        cores: Of the machine that a run keeps busy in both, with its part of the servers' work: such that the
            calibrated backfills come out best.
        spread: Of the logarithm of a run's time.
    """

    submit: float
    launch: float
    start: float
    fixed: float
    cores: float
    spread: float


def figures(backfills: Sequence[Backfill]) -> Figures:
    """Means and medians over the runs, and the cores that fit."""
    least = min(places(one) for one in backfills)
    alone = [one for one in backfills if places(one) == least]
    known = Figures(
        submit=fmean(gap for one in backfills for gap in submitted(one)),
        launch=median(run["taken_s"] for one in backfills for run in one["runs"]),
        start=median(seconds for one in alone for seconds in starts(one)),
        fixed=median(
            run["run_s"] - turns(one, run["records"]) * one["delay"] for one in alone for run in one["runs"]
        ),
        cores=0.0,
        spread=fmean(unlike(one) for one in backfills),
    )
    tries = [replace(known, cores=number / 20) for number in range(MOST_CORES * 20 + 1)]
    return min(
        tries, key=lambda one: sum(log(predicted(one, some) / some["wall_s"]) ** 2 for some in backfills)
    )


def places(one: Backfill) -> int:
    """Runs at once on all hosts."""
    return int(one["workers"] * one["at_once"])


def turns(one: Backfill, rows: float) -> float:
    """Requests of a run, one after the other where so many are in flight."""
    return rows / float(ROWS_A_REQUEST * one["in_flight"])


def submitted(one: Backfill) -> list[float]:
    """From a run's entry into the queue to the next one's."""
    times = sorted(run["queued"] for run in one["runs"])
    return [after - before for before, after in pairwise(times)] or [0.0]


def starts(one: Backfill) -> list[float]:
    """Seconds that runs took to start, once they were launched and a worker was free."""
    free = [float("-inf")] * places(one) + sorted(run["ended"] for run in one["runs"])
    launched = {run["ended"]: run["queued"] + run["wait_s"] + run["taken_s"] for run in one["runs"]}
    begun = sorted((run["ended"] - run["run_s"], launched[run["ended"]]) for run in one["runs"])
    return [at - max(sent, ready) for (at, sent), ready in zip(begun, free, strict=False)]


def unlike(one: Backfill) -> float:
    """Spread of the logarithm of its runs' times."""
    logs = [log(run["run_s"]) for run in one["runs"]]
    return stdev(logs) if len(logs) > 1 else 0.0


def predicted(known: Figures, one: Backfill) -> float:
    """Seconds of a backfill of this shape: hosts, runs at once, runs, rows, delay, requests in flight."""
    runs, rows = len(one["runs"]), one["records"]
    pace = replace(
        COSTS.pace(one["bytes"] / rows, one["in_flight"], one["delay"]),
        start_seconds=known.start,
        start_cores=known.cores,
        end_seconds=0.0,
        chunk_seconds=known.fixed,
        row_cores=known.cores,
    )
    fleet = Fleet(
        hosts=one["workers"],
        at_once=one["at_once"],
        cores=CORES,
        hosts_a_machine=one["workers"],
        most_runs=one["most_runs"],
        submit_seconds=known.submit,
        dequeue_seconds=LOOK,
        launch_seconds=known.launch,
    )
    load = Load(shares=[Share(rows=rows / runs)] * runs, pace=pace, spread=known.spread)
    return forecast(load, fleet, trials=TRIALS).seconds.likely


def shown(known: Figures, name: str, backfills: Iterable[Backfill]) -> list[float]:
    """A line for each; how far the predictions are off, as parts of the measured times."""
    off = []
    for one in backfills:
        guess = predicted(known, one)
        off.append(guess / one["wall_s"] - 1)
        say(
            f"{name:10} {one['workers']} host(s) x {one['at_once']}, {len(one['runs']):3} runs, "
            f"{one['records']:8,} rows, {one['delay']:g} s x 1/{one['in_flight']}: "
            f"measured {one['wall_s']:7.1f} s, predicted {guess:7.1f} s, {off[-1]:+6.1%}"
        )
    return off


def say(words: str) -> None:
    sys.stdout.write(words + "\n")


def trimmed(one: Backfill) -> dict[str, Any]:
    """What is needed of a measured backfill."""
    runs = [{name: run[name] for name in RUN} for run in one["runs"]]
    return {**{name: one[name] for name in SHAPE}, "load": one["load"], "runs": runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, default=KEPT, help="file of measured backfills")
    parser.add_argument(
        "--shapes", type=Path, help="file of cluster_shapes --out: in place of all that is kept"
    )
    wanted = parser.parse_args()
    kept: dict[str, list[Any]] = {"calibrate": [], "held_out": []}
    if wanted.shapes:
        found = [trimmed(one) for one in json.loads(wanted.shapes.read_text())]
        kept = {"calibrate": found[: len(CALIBRATE)], "held_out": found[len(CALIBRATE) :]}
    elif wanted.kept.exists():
        kept = json.loads(wanted.kept.read_text())
    if wanted.shapes:
        wanted.kept.write_text(json.dumps(kept, indent=1) + "\n")
    known = figures(kept["calibrate"])
    say(", ".join(f"{name} {getattr(known, name):.3g}" for name in Figures.__slots__))
    shown(known, "calibrated", kept["calibrate"])
    off = [abs(one) for one in shown(known, "held out", kept["held_out"])]
    if off:
        say(
            f"held out: off by {fmean(off):.1%} on the average, {max(off):.1%} at most ({len(off)} backfills)"
        )


if __name__ == "__main__":
    main()
