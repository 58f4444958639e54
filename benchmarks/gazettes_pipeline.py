"""``python -m benchmarks.gazettes_pipeline [--documents N]``: made gazettes through the whole pipeline.

Servers of its own: PostgreSQL (rows and ledger), SeaweedFS, Tika, a real OpenSearch node. Each pass is a
process of its own (gazettes_steps) without Dagster: a first one over all; a second one, which must find
nothing to do; one after HTML has got a handler; then the index of gazettes made anew from what is stored.
What is left behind is compared with what the generator knows, document by document (gazettes_truth). Keeps
one JSON object, prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from opensearchpy import OpenSearch

from benchmarks.gazettes_truth import Places, compare, truth
from benchmarks.table import RESULTS, machine
from ingest_project import local
from ingest_project.core.documents import COMPLETED, FAILED
from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.local.postgresql import database
from ingest_project.local.state import Stack
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import Settings
from ingest_project.testing.gazette_files import HTML, Gazettes
from ingest_project.testing.gazette_world import fill

BRIEF = "360 before, 1,200 aimed at"
SERVERS = ("s3", "tika", "opensearch-node", "postgresql")
INDEX = "gazettes-bench"
THEMES = Path(__file__).parents[1] / "ingest_project_tests/entities/gazettes/data/themes_config.json"
MB = 1 << 20


@contextmanager
def deployment(extractor: str, themes: Path) -> Iterator[tuple[Stack, dict[str, str]]]:
    """The servers, and the variables of a deployment on them."""
    with tempfile.TemporaryDirectory(prefix="ingest-bench-") as folder:
        home = Path(folder)
        # PostgreSQL runs as somebody else when we are root.
        home.chmod(0o755)
        try:
            stack = local.up(home, names=SERVERS, usual_ports=False, tied=True, timeout=300)
            postgresql = stack.servers["postgresql"].endpoint
            with database(postgresql) as rows, database(postgresql) as ledger:
                yield (
                    stack,
                    {
                        **stack.variables,
                        "INGEST_LEDGER_URL": ledger,
                        "INGEST_GAZETTES_DATABASE_URL": rows.replace("postgresql+psycopg2:", "postgresql:"),
                        "INGEST_GAZETTES_FILES": f"{stack.bucket}/files",
                        "INGEST_GAZETTES_EXTRACTOR": extractor,
                        "INGEST_GAZETTES_TIKA_URL": stack.servers["tika"].endpoint,
                        "INGEST_GAZETTES_TIKA_RATE": "200",
                        "INGEST_GAZETTES_INDEX": INDEX,
                        "INGEST_GAZETTES_THEMES": str(themes),
                    },
                )
        finally:
            local.down(home, grace=1.0)


def called(variables: Mapping[str, str], *words: str) -> dict[str, Any]:
    """One call of the pipeline in a process of its own; what it says goes to our standard error."""
    command = [sys.executable, "-m", "benchmarks.gazettes_steps", *words]
    done = subprocess.run(
        command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Bench:
    """One run; ``result`` grows and is kept after every part of it."""

    def __init__(self, gazettes: Gazettes, stack: Stack, variables: dict[str, str], themes: Path) -> None:
        self.gazettes, self.stack, self.variables = gazettes, stack, variables
        names = tuple(one["index"] for one in json.loads(themes.read_text())["themes"])
        self.places = Places(
            ledger=variables["INGEST_LEDGER_URL"],
            database=variables["INGEST_GAZETTES_DATABASE_URL"],
            node=stack.servers["opensearch-node"].endpoint,
            index=INDEX,
            themes=names,
        )
        self.result: dict[str, Any] = {
            "documents": len(gazettes),
            "made": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "extractor": variables["INGEST_GAZETTES_EXTRACTOR"],
        }

    def run(self) -> None:
        self._part("filled", self._filled())
        self._part("first pass", self._first())
        self._part("first pass, compared", compare(truth(self.gazettes), self.places))
        self._part("account", self._account())
        self._part("aggregates", called(self.variables, "aggregate", str(self.gazettes.start.year)))
        before = self._writes()
        self._part("second pass", called(self.variables, "pass", "ALL"))
        self._part("second pass, writes to the node", self._writes() - before)
        types = {"INGEST_GAZETTES_TYPES": "pdf,doc,docx,odt,rtf,txt,html"}
        self._part("with HTML", self._html({**self.variables, **types}))
        self._part("with HTML, compared", compare(truth(self.gazettes, html=True), self.places))
        self._part("made anew", called(self.variables, "remake", INDEX))
        self._part("made anew, compared", compare(truth(self.gazettes, html=True), self.places))
        self._part("servers MB", self._servers())

    def _part(self, name: str, found: Any) -> None:
        self.result[name] = found
        say(f"{name}: {json.dumps(found)[:1500]}")
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / "gazettes_pipeline.json"
        path.write_text(json.dumps(self.result, indent=1) + "\n")

    def _filled(self) -> dict[str, Any]:
        begun = time.perf_counter()
        client, bucket = s3_client(Settings.from_env(self.variables)), self.stack.bucket
        rows = self.variables["INGEST_GAZETTES_DATABASE_URL"]
        done = fill(self.gazettes, client, bucket, rows, prefix="files/")
        seconds = round(time.perf_counter() - begun, 1)
        return {"rows": done.rows, "files": done.files, "MB": done.bytes // MB, "seconds": seconds}

    def _first(self) -> dict[str, Any]:
        found = called(self.variables, "pass", "UNPROCESSED")
        count = len(self.gazettes)
        found["documents/h"] = round(3600 * count / found["seconds"])
        found["documents/h of the brief"] = BRIEF
        found["seconds a document"] = {
            name: round(one["seconds"] / count, 5)
            for name, one in {"listed": found["listed"], **found["steps"]}.items()
        }
        return found

    def _html(self, variables: Mapping[str, str]) -> dict[str, Any]:
        found = called(variables, "pass", "ALL")
        ran = {name: one["done"] + one["newly_parked"] for name, one in found["steps"].items()}
        pages = sum(one.kind == HTML for one in self.gazettes)
        return {"HTML files": pages, "ran": ran, **found}

    def _account(self) -> dict[str, Any]:
        """How many are through and how many parked for which cause, as the ledger tells."""
        ledger = SqlDocumentLedger(self.places.ledger)
        states: dict[str, int] = {}
        for one in ledger.states(COLLECTION.name):
            states[one.state] = states.get(one.state, 0) + one.documents
        causes: dict[str, int] = {}
        for cause in ledger.parked_counts(COLLECTION.name):
            causes[cause.cause] = causes.get(cause.cause, 0) + cause.documents
        ledger.close()
        open_ones = sum(states.values()) - states.get(COMPLETED, 0) - states.get(FAILED, 0)
        failed = sum(count for cause, count in causes.items() if cause not in _planted(self.gazettes))
        return {"states": states, "open": open_ones, "parked": causes, "parked for no planted cause": failed}

    def _writes(self) -> int:
        with OpenSearch(hosts=[self.places.node], timeout=60) as client:
            total = client.indices.stats(metric="indexing")["_all"]["total"]["indexing"]
        return int(total["index_total"] + total["delete_total"])

    def _servers(self) -> dict[str, int]:
        found = {}
        for name, server in self.stack.servers.items():
            main = psutil.Process(server.mark.pid)
            family = [main, *main.children(recursive=True)]
            found[name] = sum(one.memory_info().rss for one in family) // MB
        return found


def _planted(gazettes: Gazettes) -> set[str]:
    return {one.cause for one in gazettes if one.cause}


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def shown(result: Mapping[str, Any]) -> Iterator[str]:
    """The table that people read."""
    first = result["first pass"]
    count = result["documents"]
    yield f"{count:,} documents, {first['seconds']:,.0f} s: {first['documents/h']:,} an hour ({BRIEF})"
    yield f"{'step':12}{'s':>9}{'s/document':>12}{'mean s':>9}{'p95 s':>9}{'tree MB':>9}"
    for name, one in first["steps"].items():
        each = first["seconds a document"][name]
        yield (
            f"{name:12}{one['seconds']:9.1f}{each:12.4f}{one['mean s']:9.3f}{one['p95 s']:9.3f}"
            f"{one['peak tree MB']:9.0f}"
        )
    yield f"parked: {result['account']['parked']}; open: {result['account']['open']}"
    for name in ("first pass", "with HTML", "made anew"):
        yield f"{name}, not as they should be: {result[f'{name}, compared']['not'] or 'none'}"
    again = {name: one["done"] + one["newly_parked"] for name, one in result["second pass"]["steps"].items()}
    yield (
        f"second pass: {result['second pass']['seconds']:.1f} s, {sum(again.values())} changes, "
        f"{result['second pass']['extraction calls']} extractions, "
        f"{result['second pass, writes to the node']} writes to the node"
    )
    html = result["with HTML"]
    yield f"with HTML: {html['HTML files']} files; ran {html['ran']}; {html['extraction calls']} extractions"
    anew = result["made anew"]
    yield (
        f"made anew: {anew['seconds']:.1f} s, {anew['documents']:,} documents, "
        f"{anew['extraction calls']} extractions"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--extractor", choices=("tika", "in-process"), default="tika")
    parser.add_argument("--large", type=int, default=100, help="MiB of one PDF among them")
    parser.add_argument("--days", type=int, default=90, help="that they are of, at least")
    parser.add_argument("--themes", type=Path, default=THEMES, help="file of themes, JSON")
    wanted = parser.parse_args()
    large = {wanted.documents // 2: wanted.large * MB} if wanted.large else {}
    gazettes = Gazettes(count=wanted.documents, seed="bench", days=wanted.days, large=large)
    with deployment(wanted.extractor, wanted.themes) as (stack, variables):
        bench = Bench(gazettes, stack, variables, wanted.themes)
        bench.run()
    sys.stdout.write("\n".join(shown(bench.result)) + "\n")


if __name__ == "__main__":
    main()
