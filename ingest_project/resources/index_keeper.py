"""IndexKeeper: the indices that we made, for the command line, the doctor and sensors: list, restore, delete.

Changes nothing of an index without our mark.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ingest_project.core.entity import rebuild_stage
from ingest_project.core.errors import ConfigurationError, PermanentFailure, TargetMissing
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.connect import opensearch_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.engine import event_loop_factory
from ingest_project.resources.owner import is_dead
from ingest_project.sinks import aliases, load_mode
from ingest_project.sinks.documents import count_documents
from ingest_project.sinks.indexes import IndexState, find_index, name_fault, our_indices

LOADING, LEFT_OVER, BESIDE = "in load mode", "left in load mode", "built beside"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexView:
    """One index of ours. ``state``: how it stands if that is worth a word."""

    name: str
    table: str
    aliases: tuple[str, ...]
    documents: int
    state: str


class IndexKeeper:
    """Use as a context manager.

    Args:
        wall: Seconds since 1970.
    """

    def __init__(self, settings: Settings, wall: Callable[[], float] = time.time) -> None:
        self._settings, self._wall = settings, wall
        self._api = opensearch_api(settings)
        self._runner = asyncio.Runner(loop_factory=event_loop_factory())
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._api.endpoint.aclose())
        self._runner.close()

    def views(self) -> list[IndexView]:
        """Every index of ours, by name."""
        return self._runner.run(self._views())

    def left_over(self) -> list[str]:
        """Names of indices that a killed load left in load mode."""
        return [state.name for state in self._runner.run(self._left())]

    def restore(self) -> list[str]:
        """Give those their settings back; their names. What the deployment may not write to is left."""
        return self._runner.run(self._restore())

    def delete(self, index: str) -> IndexView:
        """Delete an index of ours that no alias stands for, with what the ledger has of its building.

        Raises:
            PermanentFailure: It is not ours, or in use.
        """
        self._settings.require_write("opensearch", index)
        view = self._runner.run(self._delete(index))
        upkeep = Upkeep(self._settings.ledger_url)
        try:
            upkeep.forget(rebuild_stage(index))
        finally:
            upkeep.close()
        return view

    async def _views(self) -> list[IndexView]:
        return [await self._view(state) for state in await our_indices(self._api)]

    async def _view(self, state: IndexState) -> IndexView:
        words = []
        if load_mode.is_left_over(state, is_dead, self._wall()):
            words.append(LEFT_OVER)
        elif load_mode.Holding.of(state).settings:
            words.append(LOADING)
        if alias := state.mark.get(aliases.MARK_REBUILDS):
            words.append(f"{BESIDE} {alias}")
        return IndexView(
            name=state.name,
            table=state.made_for,
            aliases=tuple(sorted(state.aliases)),
            documents=await count_documents(self._api, state.name),
            state=", ".join(words),
        )

    async def _left(self) -> list[IndexState]:
        now = self._wall()
        return [
            state for state in await our_indices(self._api) if load_mode.is_left_over(state, is_dead, now)
        ]

    async def _restore(self) -> list[str]:
        restored = []
        for state in await self._left():
            try:
                self._settings.require_write("opensearch", state.name)
                await load_mode.restore_left_over(self._api, state, self.notes.append)
                restored.append(state.name)
            except PermanentFailure as error:
                self.notes.append(f"index {state.name}: {error}")
        return restored

    async def _delete(self, index: str) -> IndexView:
        if fault := name_fault(index):
            raise ConfigurationError(f"{index!r} is no index: the name {fault}")
        state = await find_index(self._api, index)
        if state is None:
            raise TargetMissing(f"there is no index {index}")
        view = await self._view(state)
        if not view.table:
            raise PermanentFailure(f"index {index} was not made here: it is left as it is")
        await aliases.delete_index(self._api, index, made_for=view.table)
        return view
