"""Planner: the plan of today's settings, and whether one that was kept is still theirs. Copies nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from ingest_project.core.delivering import Sleep
from ingest_project.core.encoding import Encoder
from ingest_project.core.errors import PlanDrift, TargetMissing
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.migration.plan import (
    MigrationPlan,
    MigrationRefused,
    MigrationSettings,
    plan_of,
)
from ingest_project.entities.conversations.migration.records import WORD, Records
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_definitions import check_table, ensure_table


class Planner:
    """Makes, keeps, finds and checks plans.

    Args:
        now: Tells the moment, in UTC.
    """

    def __init__(
        self,
        api: DynamoDBApi,
        tables: Mapping[str, TableDefinition],
        records: Records,
        encoder: Encoder,
        *,
        settings: MigrationSettings,
        now: Callable[[], datetime],
        sleep: Sleep,
    ) -> None:
        self._api, self._tables, self._records, self._encoder = api, tables, records, encoder
        self._settings, self._now, self._sleep = settings, now, sleep

    async def make(self) -> MigrationPlan:
        """Look at the old table, and keep the plan. What is as it was gives the plan that there was.

        Until the cut-over the first plan's moment stays: a later one must not move the time of old messages.

        Raises:
            TargetMissing: There is no old table.
            MigrationRefused: It has another key, or it was cut over.
        """
        old = self._tables["old"]
        state = await check_table(self._api, old)
        if state is None:
            raise TargetMissing(f"there is no table {old.name} to migrate")
        if wrong := [fault for fault in state.faults if " key" in fault]:
            raise MigrationRefused(f"table {old.name}: {'; '.join(wrong)}")
        standing = await self._records.standing()
        if standing.marker is not None:
            raise MigrationRefused(f"{old.name} was cut over {standing.marker.moment:%Y-%m-%d %H:%M} UTC")
        plan = await asyncio.to_thread(self._today, state.items, self._now())
        known = [one.moment for one in standing.plans.values() if one.same_but_counts(plan)]
        plan = replace(plan, moment=min(known, default=plan.moment))
        await ensure_table(self._api, self._tables[WORD], sleep=self._sleep)
        await self._records.keep_plan(plan)
        return plan

    async def find(self, hash_: str = "") -> MigrationPlan:
        """A plan that was kept; without a hash the newest of those that today's settings would give.

        Raises:
            TargetMissing: There is none.
            PlanDrift: Definitions or settings of today are others.
        """
        known = (await self._records.standing()).plans
        if not hash_ and known:
            newest = sorted(known.values(), key=lambda plan: (plan.moment, plan.items), reverse=True)
            fitting = (plan.hash for plan in newest if not self._drift(plan))
            hash_ = await asyncio.to_thread(next, fitting, newest[0].hash)
        if hash_ not in known:
            raise TargetMissing(f"{self._tables['old'].name}: no plan {hash_ or 'was made'}")
        await self.check(known[hash_])
        return known[hash_]

    def _today(self, items: int, moment: datetime) -> MigrationPlan:
        """The plan that today's definitions and settings give; may load the model."""
        return plan_of(
            self._settings,
            self._tables,
            items,
            model=self._encoder.name,
            dimensions=self._encoder.dimensions,
            moment=moment,
        )

    def _drift(self, plan: MigrationPlan) -> list[str]:
        """What of a plan is not as today's would be."""
        today = self._today(plan.items, plan.moment)
        return [name for name in plan.__slots__ if getattr(today, name) != getattr(plan, name)]

    async def check(self, plan: MigrationPlan) -> None:
        """Raises PlanDrift: definitions or settings of today are others."""
        if names := await asyncio.to_thread(self._drift, plan):
            raise PlanDrift(f"plan {plan.hash} was made with other {', '.join(names)}: make it again")
