"""Dagster's door to dropship: definitions.py finds this module by its name."""

import dagster as dg

from ingest_project.entities.dropship.book_assets import build_book_defs
from ingest_project.entities.dropship.related import AFFILIATE_SPEC, INCOME_SPEC
from ingest_project.entities.dropship.spec import SPEC
from ingest_project.orchestration.entity import build_entity_defs

RELATED = (INCOME_SPEC, AFFILIATE_SPEC)

defs: dg.Definitions = dg.Definitions.merge(
    build_entity_defs(SPEC), build_book_defs(SPEC), *(build_entity_defs(spec) for spec in RELATED)
)
