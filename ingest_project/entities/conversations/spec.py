"""No entity of dump files: messages go from table to table through a migration of their own."""

from __future__ import annotations

from ingest_project.core.entity import EntitySpec

SPECS: tuple[EntitySpec, ...] = ()
