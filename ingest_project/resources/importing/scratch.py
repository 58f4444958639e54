"""The scratch folder of one import: its plan, and its validated parts until the last of them is delivered.

The same files bound for the same tables have the same folder, so that a call that was killed goes on there.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.model import ChunkPlan, SourceFile
from ingest_project.resources.deployments import Settings
from ingest_project.sinks.plans import LocalPlanStore

FOLDER = "loads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """One import's folder. ``settings``: the deployment with its parts in there."""

    folder: Path
    settings: Settings

    @classmethod
    def of(cls, settings: Settings, files: Iterable[tuple[SourceFile, str]]) -> Scratch:
        """The folder for these files, each with its table."""
        words = sorted(f"{file.uri}\0{file.etag}\0{table}" for file, table in files)
        name = hashlib.sha256("\1".join(words).encode()).hexdigest()[:16]
        folder = settings.home / FOLDER / name
        return cls(folder=folder, settings=replace(settings, part_store="local", home=folder))

    def read_plan(self, entity: str, date: str) -> ChunkPlan | None:
        """The plan of an earlier call; None when there is none that can be understood."""
        try:
            return LocalPlanStore(self.folder).read(entity, date)
        except PermanentFailure:
            return None

    def keep_plan(self, plan: ChunkPlan) -> None:
        LocalPlanStore(self.folder).write(plan)

    def discard_parts(self) -> None:
        """Delete the parts; killed in between, what is left is no store any more and goes with the next
        call."""
        parts, waste = self.folder / "parts", self.folder / "waste"
        shutil.rmtree(waste, ignore_errors=True)
        if parts.exists():
            parts.rename(waste)
            shutil.rmtree(waste)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Parts of an import that did not end."""

    folder: Path
    bytes: int


def leftovers(home: Path) -> list[Leftover]:
    """Scratch folders that still hold parts."""
    found = []
    for folder in sorted((home / FOLDER).glob("*")):
        size = sum(file.stat().st_size for file in folder.rglob("part-*") if file.is_file())
        if size:
            found.append(Leftover(folder=folder, bytes=size))
    return found
