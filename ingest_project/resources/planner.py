"""Planner: complete files of one date -> the date's plan, with the file's record borders and its table's key
looked up.

Adds to the plan that is there; one file that cannot be planned keeps no other from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ingest_project.core.model import ChunkPlan, FileIndex, KeySchema, SourceFile

Log = Callable[[str], None]
KeysOf = Callable[[str, FileIndex], KeySchema]
"""(table, file) -> the table's key; makes the table where that is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOutcome:
    """A date's plan and what this planning did.

    Attributes:
        added: Files that are new in the plan, with their index.
        refused: File -> why it cannot be planned.
    """

    plan: ChunkPlan
    added: tuple[FileIndex, ...]
    refused: Mapping[SourceFile, str]
