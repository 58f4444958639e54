"""What the entities of the warehouse are, a value each: used by the assets and by the command line alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ingest_project.core.entity import VERSIONED, Described, EntitySpec, Expectation
from ingest_project.core.fields import FieldBook
from ingest_project.core.model import KeySchema
from ingest_project.core.paging import Field
from ingest_project.entities.wms.admission import admission
from ingest_project.entities.wms.contract import review
from ingest_project.entities.wms.index import index
from ingest_project.entities.wms.known import ENTITIES
from ingest_project.entities.wms.values import VERSION

KEYS = KeySchema(parts=(("id", "N"),))


def table_of(entity: str) -> str:
    """The table of an entity's current rows; that of its history and its index are named after it."""
    return f"wms-{entity}"


def _target(entity: str, uri: str) -> str:
    return table_of(entity)


def warnings_of(book: FieldBook, entity: str, fields: Sequence[Field]) -> Sequence[str]:
    """core.entity.Described.review."""
    return review(book, entity, fields).warnings


def spec_of(entity: str) -> EntitySpec:
    """The spec of an entity of the API."""
    return EntitySpec(
        name=f"wms.{entity}",
        source=entity,
        target_of=partial(_target, entity),
        admission=admission,
        described=Described(admission=admission, review=warnings_of),
        start="2026-01-01",
        slots=16,
        across_dates=VERSIONED,
        version=VERSION,
        default_keys=KEYS,
        index=partial(index, entity),
        destinations=("current", "history", "index"),
        stage_names={"validated": "records"},
        # A mirror has a place for every row: one that is refused is missing there.
        expect=Expectation(max_rejected_share=1.0, max_rejected=0, fail_rejected_share=0.01),
    )


SPECS = tuple(spec_of(entity) for entity in ENTITIES)
