"""Nearest neighbours by the k-NN plugin of OpenSearch: whether a server has it, and the search itself.

Knows vectors, filters and documents; whose they are is the caller's. A server without the plugin is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ingest_project.core.errors import ConfigurationError, PermanentFailure, TargetMissing
from ingest_project.core.indexing import ENGINES, IndexContract, Vector
from ingest_project.sinks.indexes import index_path
from ingest_project.sinks.isolating import RequestRefused
from ingest_project.sinks.mappings import mappings_of, settings_of
from ingest_project.sinks.opensearch_api import OpenSearchApi

PLUGIN = "opensearch-knn"
_LISTED = "knn"
"""In the name of the plugin, and of its class where a node was built around that."""

_TRIAL, _PLUGINS = "/_index_template/_simulate", "/_cat/plugins?format=json&h=component"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """What to look for.

    Attributes:
        field: The one with the vectors.
        candidates: How many each part of the index proposes: more cost more, and miss less.
        filters: Queries that a document must match; they are heeded while neighbours are looked for.
        fields: What is told of a document.
        routing: Where it was given when the documents were written: only that part of the index is asked.
    """

    field: str
    vector: Sequence[float]
    count: int
    candidates: int
    filters: Sequence[Mapping[str, Any]] = ()
    fields: Sequence[str] = ()
    routing: str = ""

    def request(self) -> dict[str, Any]:
        """The body of a search."""
        near: dict[str, Any] = {"vector": list(self.vector), "k": max(self.candidates, self.count)}
        if self.filters:
            near["filter"] = {"bool": {"filter": list(self.filters)}}
        return {"size": self.count, "_source": list(self.fields), "query": {"knn": {self.field: near}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Documents, nearest first by the server's word.

    Attributes:
        candidates: How many the server chose from.
    """

    documents: Sequence[Mapping[str, Any]]
    candidates: int


async def nearest(api: OpenSearchApi, index: str, wanted: Nearest) -> Hits:
    """The nearest documents; of parts of the index that did not answer none are told: that is an error.

    Raises:
        TransientFailure, PermanentFailure: As OpenSearchApi.send; a part of the index failed.
    """
    routing = f"&routing={quote(wanted.routing, safe='')}" if wanted.routing else ""
    path = f"{index_path(index)}/_search?allow_partial_search_results=false{routing}"
    hits = (await api.call("POST", path, wanted.request()))["hits"]
    return Hits(documents=[hit["_source"] for hit in hits["hits"]], candidates=int(hits["total"]["value"]))


async def offered_engine(api: OpenSearchApi, dimensions: int) -> str:
    """The first of ENGINES that this server has for vectors of so many dimensions. Changes nothing there.

    Both are asked: which plugins there are, and whether such a mapping would be taken: some servers take
    every mapping, and some older plugin may not have that engine.

    Raises:
        ConfigurationError: The server has no k-NN; names the plugin and what the server said.
    """
    listed = await _plugins(api)
    said = ""
    if listed is not None and not any(_LISTED in one.lower() for one in listed):
        said = f"none of its {len(listed)} plugins is that"
    for engine in () if said else ENGINES:
        said = await _refusal(api, Vector(dimensions=dimensions, engine=engine))
        if not said:
            return engine
    raise ConfigurationError(
        f"OpenSearch at {api.endpoint.url} has no k-NN for vectors of {dimensions} dimensions: {said}. "
        f"It needs the plugin {PLUGIN} of its own version (opensearch-plugin install {PLUGIN}; "
        f"org.opensearch.plugin:{PLUGIN}). Without it vectors are searched in DynamoDB"
    )


async def _plugins(api: OpenSearchApi) -> list[str] | None:
    """Names of the plugins; None where nobody is told."""
    try:
        listed = await api.call("GET", _PLUGINS)
    except PermanentFailure:
        return None
    return sorted({str(one["component"]) for one in listed})


async def _refusal(api: OpenSearchApi, vector: Vector) -> str:
    """Why an index with such a field would be refused; empty when it would be taken."""
    contract = IndexContract(fields={"vector": vector})
    trial = {
        "index_patterns": ["ingest-knn-trial"],
        "template": {"settings": settings_of(contract), "mappings": mappings_of(contract)},
    }
    try:
        await api.call("POST", _TRIAL, trial)
    except (RequestRefused, TargetMissing) as error:
        return str(error)
    return ""
