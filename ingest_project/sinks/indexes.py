"""OpenSearch indices: names, default mappings, creation, identity, and documents read back byte for byte.

Nothing hot lives here. Only what was made here is ever taken for ours (``_meta`` of the mappings says so).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from ingest_project.core.errors import ConfigurationError, PermanentFailure, TargetMissing
from ingest_project.sinks.isolating import RequestRefused
from ingest_project.sinks.opensearch_api import OpenSearchApi

NAME_BYTES = 255
READ_IDS = 500

_FORBIDDEN = re.compile(r'[\s"*\\<>|,/?#:]')


class _Found(msgspec.Struct):
    """One document of an _mget answer; its source stays the bytes that the server sent."""

    id: str = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw())


class _Answer(msgspec.Struct):
    docs: list[_Found]


def index_name(table: str) -> str:
    """Index name for a table: its name in lower case.

    Two tables whose names differ in case only get the same name; ``ensure_index`` refuses the second.

    Raises:
        ConfigurationError: OpenSearch does not take the name.
    """
    name = table.lower()
    fault = ""
    if not name or len(name.encode()) > NAME_BYTES:
        fault = f"must have 1 to {NAME_BYTES} bytes"
    elif name[0] in "_-+.":
        fault = f"must not start with {name[0]!r}"
    elif found := _FORBIDDEN.search(name):
        fault = f"must not contain {found.group()!r}"
    if fault:
        raise ConfigurationError(
            f"no index can be named after {table!r}: the name {fault}; choose one (--index)"
        )
    return name


def index_path(name: str) -> str:
    """The index as a URL path."""
    return "/" + quote(name, safe="")


def default_settings() -> dict[str, Any]:
    """Settings that take dumps as they come: many fields; a malformed value only leaves itself out."""
    return {"index.mapping.total_fields.limit": 5000, "index.mapping.ignore_malformed": True}


def default_mappings() -> dict[str, Any]:
    """Mappings for documents of unknown shape (docs/decisions/0005).

    The document itself is kept byte for byte in ``_source``; mappings only say how it can be searched.
    Numbers of any length are searched as doubles, texts as full text and as one word, booleans as the texts
    true and false; no text is taken for a date or a number. So a field may be a number here and a text
    there, and no document is refused for it. Refused is only a field that is an object in one document and
    a plain value in another.
    """
    double = {"type": "double", "ignore_malformed": True}
    text = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 1024}}}
    kinds = {
        "long": double,
        "double": double,
        "string": text,
        "boolean": text,
    }
    return {
        "date_detection": False,
        "numeric_detection": False,
        "dynamic_templates": [
            {f"any_{kind}": {"match_mapping_type": kind, "mapping": mapping}}
            for kind, mapping in kinds.items()
        ],
    }


async def ensure_index(
    api: OpenSearchApi,
    name: str,
    *,
    made_for: str,
    mappings: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """Make the index unless it exists, and return its UUID. Safe to call from many workers at once.

    Args:
        made_for: What the index is for (the table's name); kept in the mappings' ``_meta``.
        mappings, settings: Instead of the defaults.

    Raises:
        PermanentFailure: The name belongs to an index that was made for something else, or is not valid.
    """
    body = {
        "settings": dict(default_settings() if settings is None else settings),
        "mappings": dict(default_mappings() if mappings is None else mappings)
        | {"_meta": {"ingest_project": {"made_for": made_for}}},
    }
    try:
        await api.call("PUT", index_path(name), body)
    except RequestRefused as error:
        if "already_exists" not in str(error) and "already exists" not in str(error):
            raise
        owner = await _made_for(api, name)
        if owner not in (made_for, None):
            raise PermanentFailure(
                f"index {name} holds {owner!r}: it can't take {made_for!r} as well; choose another (--index)"
            ) from error
    return await identity_of(api, name)


async def identity_of(api: OpenSearchApi, name: str) -> str:
    """UUID of the index with this name or alias.

    Raises:
        TargetMissing: There is none.
        ConfigurationError: The alias stands for several indices.
    """
    found = await api.call("GET", f"{index_path(name)}/_settings?filter_path=%2A.settings.index.uuid")
    if not found:
        raise TargetMissing(f"no index {name}")
    if len(found) > 1:
        raise ConfigurationError(f"{name} stands for {len(found)} indices: {', '.join(sorted(found))}")
    return str(next(iter(found.values()))["settings"]["index"]["uuid"])


async def count_documents(api: OpenSearchApi, name: str) -> int:
    """Documents that can be searched (after a refresh)."""
    return int((await api.call("GET", f"{index_path(name)}/_count"))["count"])


async def get_sources(api: OpenSearchApi, name: str, ids: Sequence[str]) -> dict[str, bytes]:
    """Sources of the documents with these ids, exactly as the server sent them; missing ones are left out.

    OpenSearch keeps a document's bytes and copies them into its answer, so comparing bytes proves
    exactness; for a server that writes them anew there is ``same_document``.
    """
    found: dict[str, bytes] = {}
    for start in range(0, len(ids), READ_IDS):
        wanted = json.dumps({"ids": list(ids[start : start + READ_IDS])}).encode()
        answer = await api.send("POST", f"{index_path(name)}/_mget", wanted)
        for one in msgspec.json.decode(answer, type=_Answer).docs:
            if one.source:
                found[one.id] = bytes(one.source)
    return found


def same_document(one: bytes, other: bytes) -> bool:
    """Whether two JSON texts say the same, numbers compared digit for digit (``1.0`` is not ``1``)."""
    return one == other or _exact(one) == _exact(other)


def _exact(document: bytes) -> object:
    def number(text: str) -> tuple[str, str]:
        return ("number", text)

    return json.loads(document, parse_float=number, parse_int=number, parse_constant=number)


async def _made_for(api: OpenSearchApi, name: str) -> str | None:
    found = await api.call("GET", f"{index_path(name)}/_mapping")
    owners = {
        one["mappings"].get("_meta", {}).get("ingest_project", {}).get("made_for") for one in found.values()
    }
    return owners.pop() if len(owners) == 1 else None
