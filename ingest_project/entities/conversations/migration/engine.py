"""Migration: the steps in their order, and what each needs of the ones before. No Dagster.

make_plan, prepare, copy, embed, verify, cut_over, clean_up: each may be repeated, and stopped at any point.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from ingest_project.core.consumption import Consumption
from ingest_project.core.delivering import Sleep
from ingest_project.core.encoding import Encoder
from ingest_project.core.errors import PlanDrift, RemoteWriteRefused, TargetMissing
from ingest_project.core.ports import Ledger, Progress
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.migration.gates import open_points, round_of
from ingest_project.entities.conversations.migration.items import Vectors
from ingest_project.entities.conversations.migration.moving import Handling, Moved, Mover, Stage
from ingest_project.entities.conversations.migration.plan import (
    ENTITY,
    MigrationPlan,
    MigrationRefused,
    MigrationSettings,
    plan_of,
)
from ingest_project.entities.conversations.migration.records import (
    SHOWN,
    WORD,
    Marker,
    Records,
    Standing,
    Verdict,
    definition_of,
)
from ingest_project.entities.conversations.migration.sides import Looked, Sides
from ingest_project.entities.conversations.migration.streams import EmbeddingLines, history_lines
from ingest_project.entities.conversations.migration.verifying import MOST_NAMED, Findings, Verifier
from ingest_project.entities.conversations.queries import EMBEDDINGS_BY_KEY, HISTORY_BY_KEY
from ingest_project.entities.conversations.similarity import Similarity
from ingest_project.resources.endpoints import parse_endpoint
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_definitions import TableState, check_table, ensure_table
from ingest_project.sinks.table_reading import TableReader
from ingest_project.sinks.tables import delete_table


class Migration:
    """One old table on its way into the new ones, for one owner.

    Every step that writes takes ``confirm``: the plan's hash, which a target that is not on this machine asks
    for.

    Args:
        api: The caller's to close.
        tables: Definitions by their word.
        encoder: With a cache in front of it (resources.encoders.cached): each text is encoded for copying and
            for every comparison.
        owner: Under which segments are claimed.
        clock: Wall clock seconds.
        most_named: Differences that a verdict's findings name.

    Attributes:
        consumption: What reads have cost.
    """

    def __init__(
        self,
        api: DynamoDBApi,
        tables: Mapping[str, TableDefinition],
        ledger: Ledger,
        encoder: Encoder,
        *,
        owner: str,
        settings: MigrationSettings | None = None,
        handling: Handling | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        rng: Random | None = None,
        most_named: int = MOST_NAMED,
    ) -> None:
        records = definition_of(tables["old"].name)
        self._api, self._tables = api, {**tables, records.word: records}
        self._ledger, self._encoder, self._owner = ledger, encoder, owner
        self._settings, self._handling = settings or MigrationSettings(), handling or Handling()
        self._clock, self._sleep, self._rng = clock, sleep, rng or Random()
        self._most = most_named
        self.consumption = Consumption()
        retry = self._handling.retry
        self._reader = TableReader(
            api, self._tables, rng=self._rng, retry=retry, sleep=sleep, consumption=self.consumption
        )
        self._records = Records(
            api, self._reader, tables["old"].name, retry=retry, rng=self._rng, sleep=sleep
        )

    async def make_plan(self) -> MigrationPlan:
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

    async def plan(self, hash_: str = "") -> MigrationPlan:
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
        await self._check(known[hash_])
        return known[hash_]

    async def prepare(self, plan: MigrationPlan | None = None, *, confirm: str = "") -> list[TableState]:
        """Create what is missing of the new tables, and wait until they and their indexes are active.

        Raises:
            RemoteWriteRefused: See the class; without a plan the target must be on this machine.
            PermanentFailure: A table of that name is another one.
        """
        self._allow(plan, confirm)
        return [
            await ensure_table(self._api, self._tables[word], sleep=self._sleep)
            for word in ("history", "embeddings", WORD)
        ]

    async def copy(
        self,
        plan: MigrationPlan,
        *,
        confirm: str = "",
        again: bool = False,
        only: Collection[int] | None = None,
        progress: Progress | None = None,
    ) -> Moved:
        """Old rows into the history; only what differs from what stands is written.

        Args:
            again: Compare everything once more, also segments that are sealed.
            only: These segments.

        Raises:
            PlanDrift, RemoteWriteRefused, MigrationRefused: Nothing was begun.
        """
        stage = Stage(
            name="history", target=self._tables["history"], lookup=HISTORY_BY_KEY, make=history_lines
        )
        return await self._move(plan, stage, confirm, again, only, progress)

    async def embed(
        self,
        plan: MigrationPlan,
        *,
        confirm: str = "",
        again: bool = False,
        only: Collection[int] | None = None,
        progress: Progress | None = None,
    ) -> Moved:
        """The embedding of every old row's message; those that stand as they must are left. As ``copy``."""
        made = EmbeddingLines(await self._vectors(plan))
        stage = Stage(
            name="embeddings", target=self._tables["embeddings"], lookup=EMBEDDINGS_BY_KEY, make=made
        )
        return await self._move(plan, stage, confirm, again, only, progress)

    async def verify(self, plan: MigrationPlan, *, looked: Looked | None = None) -> tuple[Verdict, Findings]:
        """Compare everything both ways, and keep the verdict.

        Args:
            looked: Told a source's name and how many items of it were read so far in a pass.
        """
        await self._check(plan)
        begun, rows, vectors = self._now(), plan.rows(), await self._vectors(plan)
        sides = Sides(
            self._reader,
            rows,
            vectors,
            segments=plan.segments,
            at_once=self._handling.at_once,
            page=self._handling.page,
            now=begun.timestamp(),
        )
        found = await Verifier(sides, self._reader, rows, vectors, most=self._most).run(looked)
        verdict = Verdict(
            plan=plan.hash,
            begun=begun,
            ended=self._now(),
            read=found.read,
            rejected=found.rejected,
            expired=found.expired,
            differences=len(found.differences),
            named=tuple(str(one) for one in found.differences[:SHOWN]),
            unnamed=found.unnamed,
            settled=found.settled,
        )
        await self._records.keep_verdict(verdict)
        return verdict, found

    async def cut_over(
        self, plan: MigrationPlan, *, confirm: str = "", rejected: int = 0, by: str = ""
    ) -> Marker:
        """Mark the new tables as the memory.

        Args:
            rejected: So many old rows may stay behind; said by whoever has read why.

        Raises:
            MigrationRefused: The plan's last verdict is not clean, too old, or of before the last copying; or
                another number of rows was rejected.
        """
        await self._check(plan)
        self._allow(plan, confirm)
        standing = await self._records.standing()
        if missing := list(
            open_points(plan, standing, rejected, now=self._now(), fresh=self._settings.fresh)
        ):
            raise MigrationRefused(f"plan {plan.hash} is not cut over: {'; '.join(missing)}")
        marker = Marker(plan=plan.hash, moment=self._now(), by=by or self._owner, rejected=rejected)
        await self._records.mark(marker)
        return marker

    async def standing(self) -> Standing:
        """What is remembered: plans, verdicts, the marker."""
        return await self._records.standing()

    async def clean_up(self, confirm: str) -> datetime:
        """Delete the old table; gives when that was.

        Args:
            confirm: Hash of the plan that was cut over: asked for on this machine, too.

        Raises:
            MigrationRefused: Nothing was cut over, by another plan, or too short ago; or the new tables are
                not as they were defined.
        """
        standing, old = await self._records.standing(), self._tables["old"]
        marker = standing.marker
        if marker is None or marker.plan != confirm:
            done = "nothing was cut over" if marker is None else f"plan {marker.plan} was cut over"
            raise MigrationRefused(
                f"table {old.name} stays: {done}, not {confirm or 'a plan without a hash'}"
            )
        due = marker.moment + standing.plans[confirm].stability
        if self._now() < due:
            raise MigrationRefused(f"table {old.name} stays until {due:%Y-%m-%d %H:%M} UTC")
        await self._refuse_unready("history", "embeddings")
        if standing.cleaned is not None:
            return standing.cleaned
        await delete_table(self._api, old.name, sleep=self._sleep)
        cleaned = self._now()
        await self._records.note_cleaned(cleaned)
        return cleaned

    async def _move(
        self,
        plan: MigrationPlan,
        stage: Stage,
        confirm: str,
        again: bool,
        only: Collection[int] | None,
        progress: Progress | None,
    ) -> Moved:
        await self._check(plan)
        self._allow(plan, confirm)
        await self._refuse_unready(stage.target.word)
        standing = await self._records.standing()
        if standing.marker is not None:
            raise MigrationRefused(
                f"{plan.tables['old']} was cut over: nothing is copied over what came since"
            )
        await self._records.touch(plan, self._now())
        rows = await asyncio.to_thread(self._ledger.status, ENTITY, plan.date)
        mover = Mover(
            self._api,
            self._tables,
            self._ledger,
            owner=self._owner,
            handling=self._handling,
            sleep=self._sleep,
            rng=self._rng,
            consumption=self.consumption,
        )
        moved = await mover.move(
            plan,
            stage,
            round_=round_of(plan, stage.name, rows, again=again),
            segments=range(plan.segments) if only is None else only,
            progress=progress,
        )
        # A verdict that began while something was written tells nothing of it either.
        if moved.new.written:
            await self._records.touch(plan, self._now())
        return moved

    async def _vectors(self, plan: MigrationPlan) -> Vectors:
        similarity = await asyncio.to_thread(
            Similarity, dimensions=plan.dimensions, model=plan.model, settings=self._settings.search
        )
        return Vectors(encoder=self._encoder, similarity=similarity)

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

    async def _check(self, plan: MigrationPlan) -> None:
        if names := await asyncio.to_thread(self._drift, plan):
            raise PlanDrift(f"plan {plan.hash} was made with other {', '.join(names)}: make it again")

    def _allow(self, plan: MigrationPlan | None, confirm: str) -> None:
        """A target that is not on this machine wants the plan's hash said."""
        wanted = plan.hash if plan else ""
        here = parse_endpoint(self._api.endpoint.url, "the endpoint of DynamoDB").is_loopback
        if confirm not in (wanted, "") or (not here and (not confirm or plan is None)):
            told = f"`{confirm}` is not its hash" if confirm else "it is not on this machine"
            raise RemoteWriteRefused(
                f"refused to write to {self._api.endpoint.url}: {told}; confirm the plan {wanted}".rstrip()
            )

    async def _refuse_unready(self, *words: str) -> None:
        for word in words:
            state = await check_table(self._api, self._tables[word])
            if state is None or not state.ready:
                wrong = "; ".join(state.faults) if state else "does not stand"
                raise MigrationRefused(f"table {self._tables[word].name} {wrong}: prepare the tables first")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
