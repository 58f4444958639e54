"""Dagster's door to the gazettes: definitions.py finds this module by its name."""

import dagster as dg

from ingest_project.entities.gazettes.aggregate_assets import build_aggregate_defs
from ingest_project.entities.gazettes.archive import GAZETTES
from ingest_project.orchestration.documents import build_collection_defs

defs: dg.Definitions = dg.Definitions.merge(build_collection_defs(GAZETTES), build_aggregate_defs(GAZETTES))
