"""``python -m benchmarks.gazettes_steps WHAT``: one call of the pipeline of gazettes, watched from within.

WHAT: ``pass MODE`` lists and runs all steps, ``remake INDEX`` makes an index anew, ``aggregate YEAR`` the
files of a year. The deployment is that of the variables; Dagster is not imported. Prints one JSON object.
"""

from __future__ import annotations

import functools
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest_project.core.bucket_standing import by_month
from ingest_project.core.staging import StageReport
from ingest_project.entities.gazettes.archive import aggregate, enroll, open_desk
from ingest_project.entities.gazettes.remaking import Remaking, remake
from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.resources.deployments import Settings, load_settings
from ingest_project.resources.process import peak_rss, tree_rss
from ingest_project.sources.extract_workers import ExtractWorkers
from ingest_project.sources.plain_text import PlainText
from ingest_project.sources.tika import TikaExtractor

GLANCE = 0.2
"""Seconds between two looks at the memory of all processes."""

COUNTS = ("total", "done", "unchanged", "waiting", "parked", "newly_parked", "delayed", "busy")


class Watch:
    """Extraction calls by kind, and the memory of this process with its children, at its peak since ``turn``.

    What processes share is counted in each of them.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._most, self._ended = 0, threading.Event()

    def turn(self) -> int:
        """Bytes at the peak; begins anew."""
        most, self._most = max(self._most, tree_rss()), 0
        return most

    @contextmanager
    def watching(self) -> Iterator[None]:
        for extractor in (TikaExtractor, ExtractWorkers, PlainText):
            self._count(extractor, "text")
        looker = threading.Thread(target=self._look, daemon=True)
        looker.start()
        yield
        self._ended.set()
        looker.join()

    def _look(self) -> None:
        while not self._ended.wait(GLANCE):
            self._most = max(self._most, tree_rss())

    def _count(self, extractor: type[Any], name: str) -> None:
        inner = getattr(extractor, name)

        @functools.wraps(inner)
        async def outer(one: Any, file: Path, kind: str) -> Any:
            self.calls[kind] += 1
            return await inner(one, file, kind)

        setattr(extractor, name, outer)


def measured(watch: Watch, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``work`` tells, with seconds, CPU of this process, calls and memory."""
    calls, cpu, begun = watch.calls.total(), time.process_time(), time.perf_counter()
    watch.turn()
    told = work()
    return {
        "seconds": round(time.perf_counter() - begun, 3),
        "cpu": round(time.process_time() - cpu, 3),
        "extraction calls": watch.calls.total() - calls,
        "peak tree MB": round(watch.turn() / 2**20, 1),
        **told,
    }


def listing(settings: Settings, mode: str) -> dict[str, Any]:
    found = enroll(settings, mode, say)
    one = found.enrolled
    return {"rows": found.rows, "new": one.new, "changed": one.changed, "unchanged": one.unchanged}


def steps(settings: Settings, watch: Watch) -> Iterable[tuple[str, dict[str, Any]]]:
    """Every step over every bucket, one step after the other, as the command line does it."""
    with open_desk(settings) as desk:
        months = sorted(by_month(desk.books.states(COLLECTION.name)))
        buckets = [bucket for month in months for bucket in COLLECTION.buckets(month)]

        def one(name: str) -> dict[str, Any]:
            reports: list[StageReport] = []
            for done in desk.run(name, buckets):
                if done.stopped:
                    raise RuntimeError(done.stopped)
                reports += done.reports
            return summed(reports)

        for step in COLLECTION.steps:
            found = measured(watch, functools.partial(one, step.name))
            say(f"{step.name}: {json.dumps(found)}")
            yield step.name, found


def summed(reports: Sequence[StageReport]) -> dict[str, Any]:
    """All buckets and stages of a step; of ``p95`` the mean, each bucket as heavy as what was done in it."""
    tried = sum(one.tried for one in reports)
    causes = Counter[str]()
    for one in reports:
        causes.update(one.causes)
    return {
        **{name: sum(getattr(one, name) for one in reports) for name in COUNTS},
        "causes": dict(causes),
        "reasons": [reason for one in reports for reason in one.reasons][:5],
        "mean s": round(sum(one.mean * one.tried for one in reports) / tried, 4) if tried else 0.0,
        "p95 s": round(sum(one.p95 * one.tried for one in reports) / tried, 4) if tried else 0.0,
    }


def passed(settings: Settings, watch: Watch, mode: str) -> dict[str, Any]:
    listed = measured(watch, lambda: listing(settings, mode))
    return {"listed": listed, "steps": dict(steps(settings, watch))}


def remade(settings: Settings, name: str) -> dict[str, Any]:
    done = remake(settings, name, Remaking(delete_old=True), say)
    return {"documents": done.documents, "gazettes": done.written}


def aggregated(settings: Settings, year: int) -> dict[str, Any]:
    made = aggregate(settings, year)
    return {
        "built": made.built,
        "unchanged": made.unchanged,
        "gazettes": made.gazettes,
        "failed": made.failed,
    }


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def main(what: str, word: str) -> None:
    settings, watch = load_settings(), Watch()
    works: dict[str, Callable[[], dict[str, Any]]] = {
        "pass": lambda: passed(settings, watch, word),
        "remake": lambda: remade(settings, word),
        "aggregate": lambda: aggregated(settings, int(word)),
    }
    with watch.watching():
        if what == "pass":
            begun = time.perf_counter()
            found = works[what]()
            found |= {
                "seconds": round(time.perf_counter() - begun, 3),
                "extraction calls": watch.calls.total(),
            }
            parts = (found["listed"], *found["steps"].values())
            found["peak tree MB"] = max(one["peak tree MB"] for one in parts)
        else:
            found = measured(watch, works[what])
    found |= {"calls by kind": dict(watch.calls), "peak process MB": round(peak_rss() / 2**20, 1)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:3])
