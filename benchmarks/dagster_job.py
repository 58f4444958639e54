"""``python -m benchmarks.dagster_job [DAY]``: plans a date and loads all of its slots in one run.

The definitions are the deployment's; the instance is that of DAGSTER_HOME, and is made without a day.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg

from ingest_project.ledgers.sql import SqlLedger
from ingest_project.orchestration.partitions import range_tags
from ingest_project.resources.deployments import load_settings
from ingest_project.resources.process import peak_rss

ENTITY, READ_BACK = "messages", "reads_back"


def job_of(name: str) -> dg.JobDefinition:
    """The job with all of its checks but those that read back: a null service keeps nothing."""
    from ingest_project.definitions import defs

    whole = defs.resolve_job_def(name)
    keys = frozenset(whole.asset_layer.executable_asset_keys)
    known = defs.resolve_asset_graph().asset_check_keys
    checks = {key for key in known if key.asset_key in keys and READ_BACK not in key.name}
    return whole.get_subset(asset_selection=keys, asset_check_selection=checks)


def execute(instance: dg.DagsterInstance, name: str, **words: Any) -> None:
    assert job_of(name).execute_in_process(instance=instance, **words).success


def rows_of(shard: Path) -> int:
    with closing(sqlite3.connect(shard)) as database:
        count: int = database.execute("SELECT count(*) FROM event_logs").fetchone()[0]
    return count


def main(day: str) -> None:
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    from ingest_project.entities.messages.spec import SPEC

    imported = time.process_time()
    with dg.DagsterInstance.get() as instance:
        execute(instance, f"{ENTITY}_plan", partition_key=day)
        execute(instance, f"{ENTITY}_load", tags=range_tags(day, SPEC.slots))
        events = sum(
            rows_of(file) for file in Path(instance.root_directory, "history", "runs").glob("*-*.db")
        )
    rows = SqlLedger(load_settings().ledger_url).status(ENTITY)
    counts = [row.counts for row in rows if row.stage == "table"]
    found = {
        "written": sum(one.written for one in counts),
        "chunks": len(counts),
        "events": events,
        "imports": imported,
        "peak": peak_rss(),
    }
    print(json.dumps(found))


def make_instance() -> None:
    with dg.DagsterInstance.get() as instance:
        assert not instance.get_runs_count()


if __name__ == "__main__":
    main(sys.argv[1]) if sys.argv[1:] else make_instance()
