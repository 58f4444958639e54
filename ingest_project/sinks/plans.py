"""PlanStore: the plan of each (entity, date) as one JSON object, in a folder or in a bucket.

    <entity>/planned/date=2026-11-22/plan.json

Plans are made and merged in core.planning; here they are only kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from ingest_project.core.model import ChunkPlan
from ingest_project.core.planning import from_json, to_json
from ingest_project.sinks.objects import FolderObjects, Objects
from ingest_project.sinks.s3 import BucketObjects

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_NAME = "plan.json"
_DATE = "date="


class PlanStore:
    """Keeps plans over any medium. A write is atomic: a reader sees the old plan or the new one."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._objects.name!r})"

    def write(self, plan: ChunkPlan) -> None:
        """Store the plan in place of the date's earlier one."""
        self._objects.put(_folder(plan.entity) + f"{_DATE}{quote(plan.date)}/{_NAME}", to_json(plan).encode())

    def read(self, entity: str, date: str) -> ChunkPlan | None:
        """The date's plan; None when nothing was planned yet."""
        stored = self._objects.get(_folder(entity) + f"{_DATE}{quote(date)}/{_NAME}")
        return None if stored is None else from_json(stored.decode())

    def dates(self, entity: str) -> Sequence[str]:
        """Dates that have a plan, ascending."""
        names = self._objects.children(_folder(entity))
        return sorted(unquote(name.removeprefix(_DATE)) for name in names if name.startswith(_DATE))


class LocalPlanStore(PlanStore):
    """Plans in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FolderObjects(folder))


class S3PlanStore(PlanStore):
    """Plans in a bucket."""

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        super().__init__(BucketObjects(client, bucket, prefix))


def _folder(entity: str) -> str:
    return f"{quote(entity)}/planned/"
