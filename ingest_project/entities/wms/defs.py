"""Dagster's door to the warehouse: definitions.py finds this module by its name."""

import dagster as dg

from ingest_project.entities.wms.checks import build_standing_job, build_warehouse_checks
from ingest_project.entities.wms.spec import SPECS
from ingest_project.orchestration.synced import build_synced_defs

defs: dg.Definitions = dg.Definitions.merge(
    *(build_synced_defs(spec) for spec in SPECS),
    *(dg.Definitions(asset_checks=build_warehouse_checks(spec)) for spec in SPECS),
    build_standing_job(SPECS),
)
