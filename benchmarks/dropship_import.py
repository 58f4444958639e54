"""``python -m benchmarks.dropship_import``: a hundred CSV exports, half a million rows, five problem files.

Loads them as Dagster's assets do, stage by stage with the same engine, and accounts for every row by name,
beside the claims of the brief for an earlier tool: 25 minutes, 45-50 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from benchmarks.frame import service
from ingest_project import local
from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import ChunkPlan, Counts, WorkStatus
from ingest_project.entities.dropship.desk import BookDesk
from ingest_project.entities.dropship.spec import SPEC
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local.sample_rows import RowFile, write_row_files
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.assembly import Assembly, part_store
from ingest_project.resources.crew import Crew
from ingest_project.resources.deployments import Settings, load_settings
from ingest_project.resources.knobs import knobs_of
from ingest_project.resources.process import peak_rss
from ingest_project.sources.dumps import list_files

DAY, OWNER = datetime.now(UTC).date().isoformat(), "benchmark"
CLAIM = "the brief's claim for an earlier tool: 500,000 rows in 25 minutes (333 rows/s) at 45-50 MB"
SERVERS = {"embedded": ("dynamodb", "opensearch"), "dynalite": ("dynalite",)}
"""moto, behind ``dynamodb``, looks at every item of a table for each Query: the second stage takes the square
of the rows there."""
KEY = "kode_pesanan,line"


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def deployment(target: str, home: Path) -> Iterator[Settings]:
    """The null service, or the embedded ones; state and parts in ``home``."""
    with ExitStack() as stack:
        if target == "null":
            url = stack.enter_context(service("benchmarks.null_service", "--key", KEY)).url
            keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
            variables = {"AWS_ENDPOINT_URL_DYNAMODB": url, **keys}
        else:
            stack.callback(local.down, home)
            variables = local.up(home, names=SERVERS[target], usual_ports=False).variables
        places = {"INGEST_HOME": str(home), "INGEST_PART_STORE": "local"}
        stack.enter_context(environment({**variables, **places}))
        yield load_settings(home)


class Import:
    """One import, a stage at a time; each says what it took."""

    def __init__(self, spec: EntitySpec, settings: Settings, folder: Path) -> None:
        self.settings, self.folder, self.spec = settings, folder, spec
        self.ledger = SqlLedger(settings.ledger_url)
        self.plan = ChunkPlan(entity=spec.name, date=DAY, slots=spec.slots)
        self.refused: Mapping[str, str] = {}

    def planned(self, crew: Crew, assembly: Assembly) -> int:
        files = list_files(self.folder.as_uri())
        made = assembly.planner(crew.engine).plan(None, DAY, files, lambda text: None)
        self.plan, self.refused = made.plan, made.refused
        return sum(chunk.records for chunk in made.plan.chunks)

    def run(self, tell: Callable[[str, int, float], None], *, books: bool) -> None:
        assembly = self._assembly(self.plan)
        with Crew(assembly) as crew:
            begun = time.perf_counter()
            tell("planned", self.planned(crew, assembly), time.perf_counter() - begun)
        with Crew(self._assembly(self.plan)) as crew:
            for stage in ("validated", *self.spec.destinations):
                begun, total = time.perf_counter(), Counts()
                for outcome in crew.run(stage, self.plan.chunks):
                    total += outcome.fresh
                tell(stage, total.sent, time.perf_counter() - begun)
        if books:
            begun = time.perf_counter()
            report = desk_of(self.settings, self.ledger).post(self.plan)
            tell("orders", report.counts.sent, time.perf_counter() - begun)

    def _assembly(self, plan: ChunkPlan) -> Assembly:
        return Assembly(
            settings=self.settings,
            spec=self.spec,
            owner=OWNER,
            knobs=knobs_of(self.settings),
            plan=plan,
            create_tables=True,
        )


def desk_of(settings: Settings, ledger: SqlLedger) -> BookDesk:
    return BookDesk(
        spec=SPEC,
        settings=settings,
        ledger=ledger,
        parts=part_store(settings),
        knobs=knobs_of(settings),
        owner=OWNER,
        create=True,
    )


def account(ledger: SqlLedger, refused: Mapping[str, str], fates: Sequence[RowFile]) -> list[str]:
    """What is not as the list of samples says; prints each file that is no plain good one.

    Args:
        refused: URIs of files that were not planned, with the reason.
    """
    rows = [row for row in ledger.status(SPEC.name) if row.date == DAY]
    wrong = []
    for fate in fates:
        mine = [row for row in rows if row.uri.endswith(f"/{fate.name}")]
        whys = [row.reason for row in mine if row.reason]
        whys += [why for uri, why in refused.items() if uri.endswith(f"/{fate.name}")]
        found = _summed(mine, "validated")
        if (found.sent, found.rejected, bool(whys)) != (fate.rows, fate.bad, fate.broken):
            wrong.append(f"{fate}: {found.sent} read, {found.rejected} rejected, {whys}")
        table = _summed(mine, "table")
        if table.sent != fate.good or not table.balanced:
            wrong.append(f"{fate}: {table} in the table stage")
        if fate.kind != "good":
            print(
                f"  {fate.name} {fate.kind}: {fate.rows:,} rows, {table.written:,} written, "
                f"{table.superseded:,} superseded, {found.rejected:,} rejected {''.join(whys[:1])}"
            )
    return wrong


def _summed(rows: Sequence[WorkStatus], stage: str) -> Counts:
    return sum((row.counts for row in rows if row.stage == stage), start=Counts())


def counted(ledger: SqlLedger, stage: str, entity: str = SPEC.name) -> Counts:
    """Counts of a stage of the day."""
    return _summed(ledger.status(entity, DAY), stage)


def totals(ledger: SqlLedger) -> str:
    valid, table = counted(ledger, "validated"), counted(ledger, "table")
    return (
        f"{valid.sent:,} rows read = {table.written:,} written + {table.superseded:,} superseded + "
        f"{valid.rejected + table.rejected:,} rejected, each with row, column and reason"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=("null", *SERVERS), default="null")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-index", action="store_true", help="the table alone")
    parser.add_argument("--no-books", action="store_true", help="the first stage alone")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dropship-") as place:
        folder, home = Path(place) / "files", Path(place) / "home"
        home.mkdir()
        # In a process of its own, whose memory is not the import's.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            words = {"files": given.files, "rows": given.rows, "seed": given.seed}
            fates = pool.submit(write_row_files, folder, **words).result()
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{len(fates)} files, {sum(fate.rows for fate in fates):,} rows, {size / 1e6:,.0f} MB; {CLAIM}")
        alone = given.no_index or given.target != "embedded"
        spec = replace(SPEC, destinations=("table",)) if alone else SPEC
        with deployment(given.target, home) as settings:
            report(Import(spec, settings, folder), fates, books=given.target != "null" and not given.no_books)


def report(work: Import, fates: Sequence[RowFile], *, books: bool) -> None:
    """Run and print; exits with 1 when a row is not accounted for."""
    begun, cpu = time.perf_counter(), time.process_time()

    def tell(stage: str, count: int, seconds: float) -> None:
        print(f"{stage}: {count:,} in {seconds:,.1f} s, {count / max(seconds, 1e-9):,.0f}/s", flush=True)

    work.run(tell, books=books)
    seconds = time.perf_counter() - begun
    rows = sum(fate.rows for fate in fates)
    print(
        f"all: {seconds:,.1f} s, {time.process_time() - cpu:,.1f} s of CPU, {rows / seconds:,.0f} rows/s, "
        f"peak {peak_rss() / 2**20:,.0f} MB"
    )
    wrong = account(work.ledger, work.refused, fates)
    print(totals(work.ledger))
    if books:
        for found in desk_of(work.settings, work.ledger).audit(work.plan):
            print(
                json.dumps(
                    {
                        "orders": found.orders,
                        "ids": found.ids,
                        "balanced": found.balanced,
                        "complete": found.complete,
                        "compared": found.compared,
                    }
                )
            )
            wrong += [] if found.balanced and found.complete else ["the books are wrong"]
    for text in wrong:
        print(f"NOT AS EXPECTED: {text}")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
