"""Load mode of an index of ours: no refresh, no replicas while it is filled, the former settings afterwards.

The former settings lie in the index itself (our mark in ``_meta``), with those who hold the mode, so that
whoever comes behind a killed load restores them. Settings only; decides nothing about when it is worth it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ingest_project.core.errors import PermanentFailure
from ingest_project.sinks.indexes import IndexState, Note, find_index, index_path, put_mark, unheard
from ingest_project.sinks.opensearch_api import OpenSearchApi

NO_REFRESH: Mapping[str, str] = {"refresh_interval": "-1"}
NO_REPLICAS: Mapping[str, str] = {"number_of_replicas": "0"}
LAZY_TRANSLOG: Mapping[str, str] = {"translog.durability": "async"}
"""Acknowledged before it is on the disk of the server: a machine that loses its power loses five seconds."""

HOLD_SECONDS = 300.0
"""A holder of another machine that was not heard of for so long is taken for dead."""

LOOKS = 3

Settings = Mapping[str, tuple[str | None, str]]
"""Name below ``index`` -> (former value, None when it was not set; value of the mode)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Load mode as an index's mark tells it.

    Attributes:
        holders: Who holds the mode -> wall clock until which he is believed alive.
    """

    settings: Settings
    holders: Mapping[str, float]

    @classmethod
    def of(cls, state: IndexState) -> Holding:
        """The index's; empty when it is in no mode."""
        known = state.mark.get("load", {})
        settings = {name: (one["former"], one["load"]) for name, one in known.get("settings", {}).items()}
        return cls(settings=settings, holders=known.get("holders", {}))

    def as_mark(self) -> dict[str, Any]:
        settings = {name: {"former": was, "load": value} for name, (was, value) in self.settings.items()}
        return {"settings": settings, "holders": dict(self.holders)}


class LoadMode:
    """One process's hold on one index. Several may hold it; the last one restores.

    Order of writing: the note, then the settings; the settings, then the note. A process that ends anywhere
    leaves either nothing, or a note whose holder is dead.

    The mark can't be compared and swapped. So a holder looks again after it wrote, and with every ``keep``,
    and writes anew what another one's write took away.

    Args:
        holder: Names this hold; one name, one hold.
        is_dead: Whether a holder is known to have ended.
        wall: Seconds since 1970; hosts share no other clock.
    """

    def __init__(
        self,
        api: OpenSearchApi,
        index: str,
        *,
        holder: str,
        is_dead: Callable[[str], bool],
        wall: Callable[[], float],
        note: Note = unheard,
    ) -> None:
        self._api, self._index, self._holder = api, index, holder
        self._is_dead, self._wall, self._note = is_dead, wall, note
        self._held: Settings = {}
        self._refused: set[str] = set()

    async def enter(self, state: IndexState, wanted: Mapping[str, str]) -> None:
        """Note what the settings are and set what is wanted. A setting that the server refuses is left."""
        noted = Holding.of(state).settings
        # Former values that another hold noted, also of settings that this one would not change.
        kept = {name: pair for name, pair in noted.items() if state.setting(name) == pair[1]}
        self._held = {name: (state.setting(name), value) for name, value in wanted.items()} | kept
        await self._hold(state)

    async def keep(self) -> None:
        """Say that the holder lives, and repair what others' writes took away."""
        state = await find_index(self._api, self._index)
        if state is not None and self._held:
            await self._hold(state)

    async def leave(self) -> None:
        """Give up the hold; restore the settings when nobody else has one."""
        for _ in range(LOOKS):
            state = await find_index(self._api, self._index)
            if state is None or not self._held:
                return
            others = self._alive(Holding.of(state).holders)
            settings = self._held
            if not others:
                left = await _restore(self._api, state, self._held, self._note)
                state = await find_index(self._api, self._index) or state
                others = self._alive(Holding.of(state).holders)
                settings = self._held if others else left
            await _write(self._api, state, Holding(settings=settings, holders=others))
            state = await find_index(self._api, self._index) or state
            if self._holder not in Holding.of(state).holders:
                return

    async def _hold(self, state: IndexState) -> None:
        for _ in range(LOOKS):
            holders = {**self._alive(Holding.of(state).holders), self._holder: self._wall() + HOLD_SECONDS}
            await _write(self._api, state, Holding(settings=self._held, holders=holders))
            wanted = {name: value for name, (_, value) in self._held.items() if state.setting(name) != value}
            wanted = {name: value for name, value in wanted.items() if name not in self._refused}
            if wanted:
                self._refused |= await _put(self._api, state, wanted, self._note)
            state = await find_index(self._api, self._index) or state
            if self._holder in Holding.of(state).holders:
                return

    def _alive(self, holders: Mapping[str, float]) -> dict[str, float]:
        """The others who hold the mode."""
        others = {name: until for name, until in holders.items() if name != self._holder}
        return living(others, self._is_dead, self._wall())


def living(holders: Mapping[str, float], is_dead: Callable[[str], bool], now: float) -> dict[str, float]:
    """Holders that may still be at work."""
    return {name: until for name, until in holders.items() if until > now and not is_dead(name)}


def is_left_over(state: IndexState, is_dead: Callable[[str], bool], now: float) -> bool:
    """Whether the index is in load mode and nobody is left to restore it."""
    known = Holding.of(state)
    return bool(known.settings) and not living(known.holders, is_dead, now)


async def restore_left_over(api: OpenSearchApi, state: IndexState, note: Note = unheard) -> None:
    """Give an index its former settings back; the caller knows that nobody loads it."""
    left = await _restore(api, state, Holding.of(state).settings, note)
    await _write(api, state, Holding(settings=left, holders={}))


async def _write(api: OpenSearchApi, state: IndexState, holding: Holding) -> None:
    mark = {name: value for name, value in state.mark.items() if name != "load"}
    if holding.settings:
        mark["load"] = holding.as_mark()
    await put_mark(api, state, mark)


async def _restore(api: OpenSearchApi, state: IndexState, held: Settings, note: Note) -> Settings:
    """Returns what the server did not take back. Settings that someone changed since are left as they are."""
    former = {name: was for name, (was, value) in held.items() if state.setting(name) == value != was}
    refused = await _put(api, state, former, note) if former else set()
    return {name: held[name] for name in refused}


async def _put(
    api: OpenSearchApi, state: IndexState, settings: Mapping[str, str | None], note: Note
) -> set[str]:
    """Set them, together or else one by one; returns the names of those that the server refused."""
    try:
        await api.call("PUT", f"{index_path(state.name)}/_settings", {"index": dict(settings)})
        return set()
    except PermanentFailure as error:
        if len(settings) == 1:
            note(f"index {state.name}: the server does not take {dict(settings)}: {error}")
            return set(settings)
    refused = [await _put(api, state, {name: value}, note) for name, value in settings.items()]
    return set().union(*refused)
