"""Dagster's door to messages: definitions.py finds this module by its name."""

import dagster as dg

from ingest_project.entities.messages.spec import SPEC
from ingest_project.orchestration.entity import build_entity_defs

defs: dg.Definitions = build_entity_defs(SPEC)
