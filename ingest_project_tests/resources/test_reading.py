"""Which reader an entity's files get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ingest_project.core.entity import EntitySpec
from ingest_project.core.layouts import Layout, Sheet
from ingest_project.formats.admission import ItemAdmission
from ingest_project.resources.deployments import load_settings
from ingest_project.resources.reading import source_of
from ingest_project.sources.dumps import DumpSource
from ingest_project.sources.rows import RowSource
from ingest_project.sources.sheets import SheetSource

DUMPS = EntitySpec(
    name="x",
    target_of=lambda uri: "x",
    admission=lambda chunk: ItemAdmission(chunk.keys),
    start="2026-01-01",
)
ROWS = replace(DUMPS, layouts=(Layout(name="x", required=("id",)),))


def test_an_entity_gets_the_reader_of_its_files(home: Path) -> None:
    settings = load_settings()
    assert type(source_of(DUMPS, settings)) is DumpSource
    assert type(source_of(ROWS, settings)) is RowSource
    assert type(source_of(replace(ROWS, sheet=Sheet(name="Income")), settings)) is SheetSource
