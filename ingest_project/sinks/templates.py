"""Index templates of ours: a table's indices that appear later (dated, rebuilt) get the contract's mappings.

A template carries no mark for indices: what it applies to is not thereby ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from ingest_project.core.errors import ConfigurationError, PermanentFailure, TargetMissing
from ingest_project.core.indexing import IndexContract
from ingest_project.sinks.mappings import fingerprint, mappings_of, settings_of
from ingest_project.sinks.opensearch_api import OpenSearchApi

PREFIX = "ingest-"
PRIORITY = 100
"""Of a name without letters. Each byte of the name counts one more: where the patterns of two templates of
ours meet, one name is the longer, and two of one priority could not both stand."""


def template_name(index: str) -> str:
    return PREFIX + index


def template_of(index: str, *, made_for: str, contract: IndexContract) -> dict[str, Any]:
    """The template for an index and for those named after it with a date: ``index-20...``."""
    return {
        "index_patterns": [index, f"{index}-20*"],
        "priority": PRIORITY + len(index.encode()),
        "template": {"settings": settings_of(contract), "mappings": mappings_of(contract)},
        "_meta": {"ingest_project": {"made_for": made_for, "contract": fingerprint(contract)}},
    }


async def put_template(
    api: OpenSearchApi, index: str, *, made_for: str, contract: IndexContract, note: Callable[[str], None]
) -> None:
    """Put the index's template unless it stands so already.

    A server that takes no templates, or no such one, is no reason not to load: an index is made with its
    mappings in the request. That is noted.

    Raises:
        ConfigurationError: A template of that name is not ours, or was made for something else.
    """
    name = template_name(index)
    try:
        standing = await find_template(api, name)
    except PermanentFailure as error:
        note(f"index template {name} was not looked up: {error}")
        return
    mark: Mapping[str, Any] = (standing or {}).get("_meta", {}).get("ingest_project", {})
    if standing is not None and mark.get("made_for") != made_for:
        whose = f"was made for {mark['made_for']!r}" if mark else "is not ours"
        raise ConfigurationError(
            f"index template {name} {whose} and is not overwritten: rename it, or choose another index "
            "(--index)"
        )
    if mark.get("contract") == fingerprint(contract):
        return
    try:
        await api.call("PUT", _path(name), template_of(index, made_for=made_for, contract=contract))
    except PermanentFailure as error:
        note(f"index template {name} was not put: {error}")


async def find_template(api: OpenSearchApi, name: str) -> dict[str, Any] | None:
    """The index template of this name; None when there is none."""
    try:
        found = (await api.call("GET", _path(name)))["index_templates"]
    except TargetMissing:
        return None
    return next((one["index_template"] for one in found if one["name"] == name), None)


def _path(name: str) -> str:
    return "/_index_template/" + quote(name, safe="")
