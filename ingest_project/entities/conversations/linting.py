"""All reads of this entity held against its tables: what `ingest conversations lint` says."""

from __future__ import annotations

from ingest_project.core.access_linting import Complaint, lint
from ingest_project.entities.conversations.queries import CONTEXT, IN_BULK, MEASURED
from ingest_project.entities.conversations.tables import tables_of


def complaints() -> list[Complaint]:
    """Everything that is wrong with any read; none, or the code must not go out."""
    tables = tables_of()
    return lint((*CONTEXT, *MEASURED), tables) + lint(IN_BULK, tables, scans=True)
