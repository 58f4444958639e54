"""Memory that is really held: the load takes less, stands still, goes on, and nothing is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest_project_tests.cli.processes import variables_of

BUDGET_MB, RECORDS = 300, 360_000

HOLDER = """
import sys, threading, time
from pathlib import Path
from ingest_project.cli import main
from ingest_project.resources.process import own_rss

log, budget = Path(sys.argv.pop(1)), int(sys.argv.pop(1)) << 20
held, never = [], threading.Event()


def hold(share):
    more = int(share * budget) - own_rss()
    held.append(b"x" * max(0, more))


def said(text):
    while not (log.exists() and text in log.read_text()):
        never.wait(0.01)


def fill():
    said("batches of 500 rows")
    hold(0.97)
    said("paused until it falls")
    never.wait(0.3)
    held.clear()


hold(0.65)
threading.Thread(target=fill, daemon=True).start()
main()
"""
"""A process that fills its memory while it loads, waits for each answer in the load's log, and frees it."""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_load_beside_memory_that_is_really_held_shrinks_pauses_and_ends_right(
    tmp_path: Path, home: Path, null_sink: str
) -> None:
    dump, log = tmp_path / "many-dump.jsonl", tmp_path / "log"
    with dump.open("w") as file:
        file.writelines(json.dumps({"id": f"i{number}", "n": number}) + "\n" for number in range(RECORDS))
    load = ["load", str(dump), "--table", "null", "--json", "--log-file", str(log)]
    turned = {"INGEST_MEMORY_BUDGET_MB": str(BUDGET_MB), "INGEST_MEMORY_CHECK_SECONDS": "0.02"}
    done = subprocess.run(
        [sys.executable, "-c", HOLDER, str(log), str(BUDGET_MB), *load],
        env={**os.environ, **variables_of(null_sink, home), **turned},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    report = json.loads(done.stdout)
    assert (RECORDS, RECORDS, 0) == (report["read"], report["written"], report["rejected"])
    assert report["memory"]["peak"] >= 0.9
    assert report["memory"]["rows"] in (250, 500)
    assert report["memory"]["paused"] > 0.0
    told = log.read_text()
    assert told.index("batches of 500 rows") < told.index("paused until it falls")
    assert "batches of 1,000 rows" in told[told.index("paused until it falls") :]
    assert "paused until it falls" in done.stderr
