"""Which reader an entity's files want: JSON dumps, or rows of CSV or XLSX under one of its headers."""

from __future__ import annotations

from collections.abc import Callable

from ingest_project.core.entity import EntitySpec
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import Settings
from ingest_project.sources.dumps import DumpSource
from ingest_project.sources.rows import RowSource
from ingest_project.sources.sheets import SheetSource


def source_of(spec: EntitySpec, settings: Settings, watch: Callable[[int], None] | None = None) -> DumpSource:
    """A source of the entity's files in this deployment.

    Args:
        watch: As for DumpSource.
    """
    if spec.sheet:
        return SheetSource(spec.sheet, spec.layouts, lambda: s3_client(settings), watch=watch)
    if spec.layouts:
        return RowSource(spec.layouts, lambda: s3_client(settings), watch=watch)
    return DumpSource(lambda: s3_client(settings), watch=watch)
