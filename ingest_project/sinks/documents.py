"""Documents of an index, read back byte for byte, and compared digit for digit. Reads only."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from ingest_project.sinks.indexes import index_path
from ingest_project.sinks.opensearch_api import OpenSearchApi

READ_IDS = 500


class _Found(msgspec.Struct):
    """One document of an _mget answer; its source stays the bytes that the server sent."""

    id: str = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw())


class _Answer(msgspec.Struct):
    docs: list[_Found]


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
