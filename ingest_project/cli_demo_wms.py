"""The demonstration's warehouse: a simulated API is mirrored (all rows, changed ones, deleted ones), and the
mirror is compared with it. Under names of its own: no mirror of a real warehouse is touched, and
Dagster's sensors do not know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.paging import instant
from ingest_project.core.syncing import DELETES, FULL, SINCE
from ingest_project.entities.wms.spec import SPECS
from ingest_project.resources.api_access import ApiAccess
from ingest_project.resources.connect import dynamodb_client
from ingest_project.resources.deployments import Settings
from ingest_project.resources.syncing.whole import Synced, sync_whole
from ingest_project.testing.wms_running import RunningWms, Simulators

ROWS = {"allocation": 400, "order_dtl": 150, "order_hdr": 50}
OPTIONS = ("--seed", "1", "--ties", "50", "--user", "demo", "--password", "demo")
LIFE = ("--inserts", "0.003", "--updates", "0.006", "--deletes", "0.003")
HOUR = 3600
"""Seconds that pass in the warehouse between the full sync and the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """What became of one entity.

    Attributes:
        read: Rows of the full sync; ``changed``: of the one behind it; ``deleted``: tombstones.
        problem: What the mirror has otherwise than the warehouse; empty when it is the same.
    """

    entity: str
    table: str
    read: int
    changed: int
    deleted: int
    current: int
    history: int
    indexed: int
    problem: str


def mirror_warehouse(settings: Settings, name: str, date: str, tell: Callable[[str], None]) -> list[Mirrored]:
    """Mirror a warehouse that changes meanwhile.

    Args:
        name: Tells this demonstration from others in ledger and tables.
        tell: Is told what is done.
    """
    simulators = Simulators()
    try:
        rows = ",".join(f"{entity}={number}" for entity, number in ROWS.items())
        tell(f"a simulated warehouse: {rows.replace(',', ', ')}")
        warehouse = simulators("--rows", rows, *OPTIONS, *LIFE)
        access = ApiAccess(url=warehouse.url.rstrip("/"), user="demo", password="demo", quota=1000.0)
        mine = replace(settings, wms=access)
        specs = [_named(spec, name) for spec in SPECS if spec.source in ROWS]
        syncs: dict[str, list[Synced]] = {spec.name: [] for spec in specs}
        for mode in (FULL, SINCE, DELETES):
            if mode == SINCE:
                warehouse.control("advance", seconds=HOUR)
            for spec in specs:
                tell(f"{mode} sync of {spec.source}")
                syncs[spec.name].append(sync_whole(spec, mine, mode, date, log=tell, progress=_silent))
        return [_mirrored(spec, mine, warehouse, syncs[spec.name]) for spec in specs]
    finally:
        simulators.close()


def _named(spec: EntitySpec, name: str) -> EntitySpec:
    table = f"{name}-wms-{spec.source}"
    return replace(spec, name=f"{name}.{spec.source}", target_of=lambda uri: table)


def _silent(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
    """core.ports.Progress: the stages are short."""


def _mirrored(spec: EntitySpec, settings: Settings, warehouse: RunningWms, syncs: list[Synced]) -> Mirrored:
    full, since, _ = syncs
    table = spec.target_of("")
    versions = _versions(settings, table)
    gone = sum(version % 2 for version in versions.values())
    truth = {row["id"]: 2 * instant(row["mod_ts"]) for row in warehouse.truth(spec.source)}
    written = {
        stage: sum(one.stages[stage].written for one in syncs) for stage in ("current", "history", "index")
    }
    left = [text for one in syncs for text in one.left]
    return Mirrored(
        entity=spec.source,
        table=table,
        read=full.rows,
        changed=since.rows,
        deleted=gone,
        current=len(versions),
        history=written["history"],
        indexed=written["index"],
        problem="; ".join(left) or _difference(truth, versions),
    )


def _versions(settings: Settings, table: str) -> Mapping[int, int]:
    """Id -> version of all items of a table."""
    client = dynamodb_client(settings)
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = [item for page in pages for item in page["Items"]]
    client.close()
    return {int(item["id"]["N"]): int(item["version"]["N"]) for item in items}


def _difference(truth: Mapping[int, int], versions: Mapping[int, int]) -> str:
    """How a mirror differs from what is true; the versions of tombstones are odd."""
    standing = {row: version for row, version in versions.items() if version % 2 == 0}
    if standing == truth:
        return ""
    missing, kept = len(truth.keys() - standing.keys()), len(standing.keys() - truth.keys())
    stale = sum(standing[row] != truth[row] for row in standing.keys() & truth.keys())
    return f"{missing} rows are missing, {stale} are stale, {kept} are gone in the warehouse"
