"""Aliases of indices, moved in one step, and the deletion of indices that we made. Nothing else is deleted.

Checks whose an index is; whether its content is right is checked by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ingest_project.core.errors import ConfigurationError, PermanentFailure, TargetMissing
from ingest_project.sinks.indexes import (
    IndexState,
    find_index,
    index_path,
    name_fault,
    our_indices,
    put_mark,
)
from ingest_project.sinks.opensearch_api import OpenSearchApi

MARK_REBUILDS = "rebuilds"
"""In the mark of an index that is built beside the one in use: the alias for which it is built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What an alias stood for before it was moved; None when there was no such alias.

    Attributes:
        replaced: The former was an index with the alias' own name, and is deleted.
    """

    former: IndexState | None
    replaced: bool


def stamped(alias: str, now: float) -> str:
    """Name for a new index behind the alias: ``alias-20261122t174500z``, in time's order."""
    return f"{alias}-{datetime.fromtimestamp(now, UTC):%Y%m%dt%H%M%Sz}"


async def beside(api: OpenSearchApi, alias: str, *, made_for: str, now: float, anew: bool = False) -> str:
    """Name of the index that is to be built for the alias: of one that was begun, or a new one.

    Args:
        now: Wall clock, for a new name.
        anew: A new one in any case.
    """
    begun = [
        state.name
        for state in await our_indices(api)
        if state.mark.get(MARK_REBUILDS) == alias
        if state.made_for == made_for and not state.aliases
    ]
    if begun and not anew:
        return begun[-1]
    while await find_index(api, stamped(alias, now)) is not None:
        now += 1
    return stamped(alias, now)


async def settled(api: OpenSearchApi, index: str, *, made_for: str) -> None:
    """Take the mark of being built off an index for which its alias stands.

    Raises:
        TargetMissing, PermanentFailure: As ``require_ours``.
    """
    state = await require_ours(api, index, made_for=made_for)
    await put_mark(api, state, {name: value for name, value in state.mark.items() if name != MARK_REBUILDS})


async def move_alias(
    api: OpenSearchApi, alias: str, index: str, *, made_for: str, replace_index: bool = False
) -> Move:
    """Let the alias stand for the index, in one atomic call; its filter and routing go with it.

    Args:
        replace_index: An index of ours that has the alias' name is deleted in the same call.

    Raises:
        TargetMissing: There is no such index.
        PermanentFailure: The index, or what the alias stands for, is not ours or was made for something else;
            or the name is an index's and that is not to be replaced. Nothing was changed.
    """
    new = await require_ours(api, index, made_for=made_for)
    former = await find_index(api, alias)
    if former is None:
        await _actions(api, _add(new.name, alias, {}))
        return Move(former=None, replaced=False)
    if former.name == new.name:
        return Move(former=former, replaced=False)
    require_movable(alias, former, made_for=made_for, replace_index=replace_index)
    if former.name == alias:
        await _actions(api, {"remove_index": {"index": former.name}}, _add(new.name, alias, {}))
        return Move(former=former, replaced=True)
    off = {"remove": {"index": former.name, "alias": alias, "must_exist": True}}
    await _actions(api, off, _add(new.name, alias, former.aliases.get(alias, {})))
    return Move(former=former, replaced=False)


def require_movable(alias: str, former: IndexState, *, made_for: str, replace_index: bool) -> None:
    """Raises PermanentFailure when the alias may not leave what it stands for."""
    if former.made_for != made_for:
        raise PermanentFailure(
            f"{alias} stands for index {former.name}, which was not made here for {made_for!r}: it is left "
            "as it is. Choose another alias (--alias), or free the name yourself"
        )
    if former.name == alias and not replace_index:
        raise PermanentFailure(
            f"{alias} is an index, and no alias can have its name while it stands. --delete-old deletes it "
            "in the same step in which the alias takes its name; or choose another alias (--alias) and have "
            "the searches use that one"
        )


async def delete_index(api: OpenSearchApi, index: str, *, made_for: str) -> None:
    """Delete an index of ours that no alias stands for.

    Raises:
        TargetMissing: There is none.
        PermanentFailure: It is not ours, was made for something else, or is in use behind an alias.
    """
    state = await require_ours(api, index, made_for=made_for)
    if state.aliases:
        raise PermanentFailure(
            f"index {index} is not deleted: {', '.join(sorted(state.aliases))} stands for it"
        )
    await api.call("DELETE", index_path(state.name))


async def require_ours(api: OpenSearchApi, index: str, *, made_for: str) -> IndexState:
    """The index of exactly this name, made here for this table.

    Raises:
        ConfigurationError: The name is a pattern, an alias, or no name at all.
        TargetMissing, PermanentFailure: There is none; it is not ours.
    """
    if fault := name_fault(index):
        raise ConfigurationError(f"{index!r} is no index: the name {fault}")
    state = await find_index(api, index)
    if state is None:
        raise TargetMissing(f"there is no index {index}")
    if state.name != index:
        raise ConfigurationError(f"{index} is an alias; its index is {state.name}")
    if state.made_for != made_for:
        whose = f"was made for {state.made_for!r}" if state.made_for else "was not made here"
        raise PermanentFailure(f"index {index} {whose}, not for {made_for!r}: it is left as it is")
    return state


def _add(index: str, alias: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    return {"add": {"index": index, "alias": alias, **definition}}


async def _actions(api: OpenSearchApi, *actions: Mapping[str, Any]) -> None:
    await api.call("POST", "/_aliases", {"actions": list(actions)})
