"""Dagster's door to conversations: definitions.py finds this module by its name."""

import dagster as dg

from ingest_project.entities.conversations.alert_checks import hourly, watch, watching
from ingest_project.entities.conversations.step_assets import (
    clean_up,
    cut_over,
    embeddings,
    history,
    plan,
    verified,
)
from ingest_project.entities.conversations.table_assets import tables

defs: dg.Definitions = dg.Definitions(
    assets=[tables, plan, history, embeddings, verified, cut_over],
    asset_checks=[watch],
    jobs=[clean_up, watching],
    schedules=[hourly],
)
