"""LandedPlans: plans as they are stored, with what the ledger says has landed since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ingest_project.core.landed import base_of, with_landed, without_landed
from ingest_project.core.model import ChunkPlan
from ingest_project.core.syncing import Landed
from ingest_project.sinks.plans import PlanStore


class LandedRows(Protocol):
    """What is needed of the ledger of syncs."""

    def landed(self, entity: str, date: str) -> Sequence[Landed]:
        """Every stored object of pages of an entity and a date, in order of landing."""
        ...


class LandedPlans(PlanStore):
    """A plan store in whose plans the landed pages are. They are never stored with a plan: slices that land
    side by side write nothing but their own rows of the ledger."""

    def __init__(self, plans: PlanStore, rows: LandedRows) -> None:
        self._plans, self._rows = plans, rows

    def __repr__(self) -> str:
        return repr(self._plans)

    def write(self, plan: ChunkPlan) -> None:
        self._plans.write(without_landed(plan))

    def read(self, entity: str, date: str) -> ChunkPlan | None:
        plan = self._plans.read(entity, date)
        base = None if plan is None else base_of(plan)
        if plan is None or base is None:
            return plan
        return with_landed(plan, base, self._rows.landed(entity, date))

    def dates(self, entity: str) -> Sequence[str]:
        return self._plans.dates(entity)
