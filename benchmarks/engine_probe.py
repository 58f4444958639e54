"""The deployment's definitions with one job more, which says what its start has cost and then waits.

Only for benchmarks.cluster_engines: both engines load this module, so that a run imports what a run imports.
"""

import json
import os
import time
from pathlib import Path

import dagster as dg

from ingest_project import definitions

FOLDER = "ENGINE_PROBE_FOLDER"
"""Variable with the folder for what probes say; a file ``hold`` in it keeps them waiting."""

JOB = "engine_probe"


@dg.op
def probe(context: dg.OpExecutionContext) -> None:
    """Say process, CPU seconds and time; wait while ``hold`` is there."""
    folder = Path(os.environ[FOLDER])
    said = {"pid": os.getpid(), "cpu": time.process_time(), "at": time.time()}
    draft = folder / f"{context.run_id}.draft"
    draft.write_text(json.dumps(said))
    draft.rename(folder / f"{context.run_id}.json")
    while (folder / "hold").exists():
        time.sleep(0.05)


@dg.job(name=JOB, executor_def=dg.in_process_executor)
def engine_probe() -> None:
    probe()


def with_probe(known: dg.Definitions) -> dg.Definitions:
    """Without the sensors: they would look for files while runs are measured."""
    return dg.Definitions(
        assets=known.assets,
        asset_checks=known.asset_checks,
        resources=known.resources,
        jobs=[*(known.jobs or ()), engine_probe],
    )


defs = with_probe(definitions.defs)
