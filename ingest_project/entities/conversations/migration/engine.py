"""Migration: the steps in their order, and what each needs of the ones before. No Dagster.

make_plan, prepare, copy, embed, verify, cut_over, clean_up: each may be repeated, and stopped at any point.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from random import Random

from ingest_project.core.consumption import Consumption
from ingest_project.core.delivering import Sleep
from ingest_project.core.encoding import Encoder
from ingest_project.core.ports import Ledger, Progress
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.migration.gates import (
    open_points,
    require_confirmed,
    round_of,
    verdict_of,
)
from ingest_project.entities.conversations.migration.items import Vectors
from ingest_project.entities.conversations.migration.moving import Handling, Moved, Mover, Stage
from ingest_project.entities.conversations.migration.plan import (
    ENTITY,
    MigrationPlan,
    MigrationRefused,
    MigrationSettings,
)
from ingest_project.entities.conversations.migration.planner import Planner
from ingest_project.entities.conversations.migration.records import (
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
        self._planner = Planner(
            api,
            self._tables,
            self._records,
            encoder,
            settings=self._settings,
            now=self._now,
            sleep=sleep,
        )

    async def make_plan(self) -> MigrationPlan:
        """See planner.Planner.make."""
        return await self._planner.make()

    async def plan(self, hash_: str = "") -> MigrationPlan:
        """See planner.Planner.find."""
        return await self._planner.find(hash_)

    async def prepare(self, plan: MigrationPlan | None = None, *, confirm: str = "") -> list[TableState]:
        """Create what is missing of the new tables, and wait until they and their indexes are active.

        Raises:
            RemoteWriteRefused: See the class; without a plan the target must be on this machine.
            PermanentFailure: A table of that name is another one.
        """
        require_confirmed(self._api.endpoint.url, plan, confirm)
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
        await self._planner.check(plan)
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
        verdict = verdict_of(plan, found, begun, self._now())
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
        await self._planner.check(plan)
        require_confirmed(self._api.endpoint.url, plan, confirm)
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
        await self._planner.check(plan)
        require_confirmed(self._api.endpoint.url, plan, confirm)
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

    async def _refuse_unready(self, *words: str) -> None:
        for word in words:
            state = await check_table(self._api, self._tables[word])
            if state is None or not state.ready:
                wrong = "; ".join(state.faults) if state else "does not stand"
                raise MigrationRefused(f"table {self._tables[word].name} {wrong}: prepare the tables first")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
