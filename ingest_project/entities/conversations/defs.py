"""Dagster's door to conversations: definitions.py finds this module by its name."""

import dagster as dg

from ingest_project.entities.conversations.table_assets import tables

defs: dg.Definitions = dg.Definitions(assets=[tables])
