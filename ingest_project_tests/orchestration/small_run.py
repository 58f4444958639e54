"""A job of one asset over the slots of a date, without any store."""

from dataclasses import replace

import dagster as dg

from ingest_project.entities.messages.spec import SPEC
from ingest_project.orchestration.partitions import grid_partitions


@dg.asset(partitions_def=grid_partitions(replace(SPEC, start="2026-01-01", slots=16)))
def slots(context: dg.AssetExecutionContext) -> None:
    """Nothing but its events."""


def materialize_slots(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    """One run over the slots that the tags name."""
    done = dg.materialize([slots], instance=instance, tags=tags)
    assert done.success
    return done.dagster_run
