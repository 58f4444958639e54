"""Dagster's door to dropship: definitions.py finds this module by its name."""

import dagster as dg

from ingest_project.entities.dropship.book_assets import build_book_defs
from ingest_project.entities.dropship.spec import BESIDE, SPEC
from ingest_project.orchestration.entity import build_entity_defs

defs: dg.Definitions = dg.Definitions.merge(
    build_entity_defs(SPEC), build_book_defs(SPEC), *(build_entity_defs(spec) for spec in BESIDE)
)
