"""OpenSearch indices: names, how one stands, creation from the entity's contract, identity.

Nothing hot lives here. Only what bears our mark (``_meta`` of the mappings) is ours; documents may go into
any index, but nothing else of one that is not ours is ever changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ingest_project.core.errors import ConfigurationError, PermanentFailure, TargetMissing
from ingest_project.core.indexing import BY_DEFAULT, IndexContract
from ingest_project.sinks.isolating import RequestRefused
from ingest_project.sinks.mappings import contradictions, fingerprint, mappings_of, settings_of
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.templates import put_template

NAME_BYTES = 255
MARK = "ingest_project"
"""Under this name ``_meta`` of an index holds what we know of it."""

REBUILD = "ingest index rebuild"
"""Command that loads a table's index anew."""

_FORBIDDEN = re.compile(r'[\s"*\\<>|,/?#:]')
_STATE = "filter_path=%2A.aliases%2C%2A.settings.index%2C%2A.mappings._meta"

Note = Callable[[str], None]
"""Takes what a person should know and what stops nothing."""


def unheard(text: str) -> None:
    """A Note that tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """An index as the server describes it.

    Attributes:
        aliases: Alias -> its definition.
        settings: The section ``index`` of its settings, values as texts.
        meta: All of ``_meta``; of others, too.
    """

    name: str
    uuid: str
    aliases: Mapping[str, Mapping[str, Any]]
    settings: Mapping[str, Any]
    meta: Mapping[str, Any]

    @property
    def mark(self) -> Mapping[str, Any]:
        """What we wrote into it; empty when the index is not ours."""
        mark = self.meta.get(MARK, {})
        return mark if isinstance(mark, dict) else {}

    @property
    def made_for(self) -> str:
        """The table that it was made for; empty when the index is not ours."""
        return str(self.mark.get("made_for", ""))

    def setting(self, name: str) -> str | None:
        """A setting by its name below ``index``, with dots; None when it is not set."""
        found: Any = self.settings
        for step in name.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return None if found is None else str(found)


def index_name(table: str) -> str:
    """Index name for a table: its name in lower case.

    Two tables whose names differ in case only get the same name; ``ensure_index`` refuses the second.

    Raises:
        ConfigurationError: OpenSearch does not take the name.
    """
    name = table.lower()
    if fault := name_fault(name):
        raise ConfigurationError(
            f"no index can be named after {table!r}: the name {fault}; choose one (--index)"
        )
    return name


def name_fault(name: str) -> str:
    """What OpenSearch has against an index of this name; empty when nothing. A wildcard is no name."""
    if not name or len(name.encode()) > NAME_BYTES:
        return f"must have 1 to {NAME_BYTES} bytes"
    if name[0] in "_-+.":
        return f"must not start with {name[0]!r}"
    if name != name.lower():
        return "must be in lower case"
    found = _FORBIDDEN.search(name)
    return f"must not contain {found.group()!r}" if found else ""


def index_path(name: str) -> str:
    """The index as a URL path."""
    return "/" + quote(name, safe="")


async def ensure_index(
    api: OpenSearchApi,
    name: str,
    *,
    made_for: str,
    contract: IndexContract = BY_DEFAULT,
    mark: Mapping[str, Any] | None = None,
    note: Note = unheard,
    rebuild: str = REBUILD,
) -> IndexState:
    """Make the index and its template unless it exists; bring one of ours up to a changed contract.

    Safe to call from many workers at once. An index that is not ours is taken as it is.

    Args:
        name: An index, or an alias of one.
        made_for: What the index is for (the table's name); kept in the mappings' ``_meta``.
        mark: What else a new index is marked with.
        rebuild: Command that makes a new index of what this one is made for.

    Raises:
        PermanentFailure: It was made for something else, or contradicts the contract.
    """
    state = await find_index(api, name)
    if state is None:
        await put_template(api, name, made_for=made_for, contract=contract, note=note)
        await _create(api, name, {"made_for": made_for, **(mark or {})}, contract)
        state = await find_index(api, name)
    if state is None:
        raise TargetMissing(f"index {name} was deleted while it was made")
    if state.made_for not in (made_for, ""):
        raise PermanentFailure(
            f"index {name} holds {state.made_for!r}: it can't take {made_for!r} as well; "
            "choose another (--index)"
        )
    if state.made_for and state.mark.get("contract") != fingerprint(contract):
        await put_template(api, name, made_for=made_for, contract=contract, note=note)
        await _update(api, state, contract, rebuild)
    return state


async def find_index(api: OpenSearchApi, name: str) -> IndexState | None:
    """The index with this name or alias; None when there is none.

    Raises:
        ConfigurationError: The alias stands for several indices.
    """
    try:
        found = states_of(await api.call("GET", f"{index_path(name)}?{_STATE}"))
    except TargetMissing:
        return None
    if len(found) > 1:
        names = ", ".join(sorted(state.name for state in found))
        raise ConfigurationError(f"{name} stands for {len(found)} indices: {names}")
    return found[0] if found else None


async def our_indices(api: OpenSearchApi) -> list[IndexState]:
    """All open indices that bear our mark and can be looked at, by name."""
    try:
        found = states_of(await api.call("GET", f"/_all?{_STATE}"))
    except PermanentFailure as error:
        if "cluster_block" not in str(error):
            raise
        found = await _one_by_one(api)
    return sorted((state for state in found if state.mark), key=lambda state: state.name)


async def _one_by_one(api: OpenSearchApi) -> list[IndexState]:
    """Somebody blocked one index for all looks at it: that must not hide the others."""
    found = []
    names = await api.call("GET", "/_cluster/state/metadata?filter_path=metadata.indices.%2A.state")
    for name, known in names.get("metadata", {}).get("indices", {}).items():
        try:
            state = await find_index(api, name) if known["state"] == "open" else None
        except PermanentFailure:
            continue
        found += [state] if state is not None else []
    return found


def states_of(answer: Mapping[str, Any]) -> list[IndexState]:
    """An answer of GET on indices."""
    return [
        IndexState(
            name=name,
            uuid=str(one.get("settings", {}).get("index", {}).get("uuid", "")),
            aliases=one.get("aliases", {}),
            settings=one.get("settings", {}).get("index", {}),
            meta=one.get("mappings", {}).get("_meta", {}),
        )
        for name, one in answer.items()
    ]


async def put_mark(api: OpenSearchApi, state: IndexState, mark: Mapping[str, Any]) -> None:
    """Replace our mark on the index; what others keep in ``_meta`` stays."""
    await api.call("PUT", f"{index_path(state.name)}/_mapping", {"_meta": {**state.meta, MARK: dict(mark)}})


async def refresh_index(api: OpenSearchApi, name: str) -> None:
    """What was written can be searched."""
    await api.send("POST", f"{index_path(name)}/_refresh", b"")


async def identity_of(api: OpenSearchApi, name: str) -> str:
    """UUID of the index with this name or alias.

    Raises:
        TargetMissing: There is none.
        ConfigurationError: The alias stands for several indices.
    """
    state = await find_index(api, name)
    if state is None:
        raise TargetMissing(f"no index {name}")
    return state.uuid


async def _create(api: OpenSearchApi, name: str, mark: Mapping[str, Any], contract: IndexContract) -> None:
    meta = {MARK: {**mark, "contract": fingerprint(contract)}}
    body = {
        "settings": settings_of(contract),
        "mappings": mappings_of(contract) | {"_meta": meta},
    }
    try:
        await api.call("PUT", index_path(name), body)
    except RequestRefused as error:
        if "already_exists" not in str(error) and "already exists" not in str(error):
            raise


async def _update(api: OpenSearchApi, state: IndexState, contract: IndexContract, rebuild: str) -> None:
    """Add to the index what a changed contract adds. Settings of a standing index are left to its owner."""
    path = f"{index_path(state.name)}/_mapping"
    standing = (await api.call("GET", path))[state.name]["mappings"]
    against = "; ".join(contradictions(standing, contract))
    if not against:
        mark = {**state.mark, "contract": fingerprint(contract)}
        try:
            await api.call("PUT", path, mappings_of(contract) | {"_meta": {**state.meta, MARK: mark}})
        except RequestRefused as error:
            against = str(error)
    if against:
        raise PermanentFailure(
            f"index {state.name} does not fit the contract, and no index changes what it has: {against}. "
            f"Load a new one beside it and switch: `{rebuild} {state.made_for}`"
        )
