"""An IndexContract as OpenSearch's mappings and settings, and what of it a standing index contradicts.

Pure: nothing is sent from here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ingest_project.core.indexing import (
    Date,
    Field,
    Group,
    IndexContract,
    Kept,
    Keyword,
    ScaledFloat,
    Text,
    Value,
    Vector,
)

FIELDS_LIMIT = 5000

_FIXED = (
    "type",
    "analyzer",
    "format",
    "scaling_factor",
    "enabled",
    "term_vector",
    "dimension",
    "method",
)
"""What no index changes of a field once it stands."""

_OFFSETS = {"term_vector": "with_positions_offsets"}


def settings_of(contract: IndexContract) -> dict[str, Any]:
    """Settings of a new index: many fields; by default a malformed value only leaves itself out."""
    made: dict[str, Any] = {
        "index.mapping.total_fields.limit": FIELDS_LIMIT,
        "index.mapping.ignore_malformed": contract.malformed == "ignore",
    }
    if contract.analysis:
        made["index.analysis"] = contract.analysis
    if any(isinstance(one, Vector) for one in contract.fields.values()):
        made["index.knn"] = True
    return made | dict(contract.settings)


def mappings_of(contract: IndexContract) -> dict[str, Any]:
    """Declared fields as they are declared; all others by the defaults (docs/decisions/0005).

    The document itself is kept byte for byte in ``_source``; mappings only say how it can be searched. By
    default numbers of any length are searched as doubles, texts as full text and as one word, booleans as the
    texts true and false; no text is taken for a date or a number. So an undeclared field may be a number here
    and a text there, and no document is refused for it. Refused is only a field that is an object in one
    document and a plain value in another.
    """
    double = {"type": "double", "ignore_malformed": True}
    text = _field(Text(keyword=1024))
    kinds = {"long": double, "double": double, "string": text, "boolean": text}
    return {
        "dynamic": contract.dynamic,
        "date_detection": False,
        "numeric_detection": False,
        "dynamic_templates": [
            {f"any_{kind}": {"match_mapping_type": kind, "mapping": mapping}}
            for kind, mapping in kinds.items()
        ],
        "properties": {name: _field(one) for name, one in contract.fields.items()},
    }


def fingerprint(contract: IndexContract) -> str:
    """Names mappings and settings: two contracts that mean the same to OpenSearch have the same."""
    meant = json.dumps([mappings_of(contract), settings_of(contract)], sort_keys=True)
    return hashlib.sha256(meant.encode()).hexdigest()[:32]


def contradictions(standing: Mapping[str, Any], contract: IndexContract) -> list[str]:
    """One text a declared field that the standing mappings have otherwise and that no update changes."""
    return list(_contradictions(standing.get("properties", {}), mappings_of(contract)["properties"], ""))


def _contradictions(standing: Mapping[str, Any], wanted: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, mapping in wanted.items():
        found = standing.get(name)
        if found is None:
            continue
        differing = [aspect for aspect in _FIXED if _aspect(found, aspect) != _aspect(mapping, aspect)]
        if differing:
            has = ", ".join(f"{aspect} {_aspect(found, aspect)}" for aspect in differing)
            says = ", ".join(f"{aspect} {_aspect(mapping, aspect)}" for aspect in differing)
            yield f"{above}{name} has {has}, the contract says {says}"
        for below in ("properties", "fields"):
            if not differing and below in mapping:
                yield from _contradictions(found.get(below, {}), mapping[below], f"{above}{name}.")


def _aspect(mapping: Mapping[str, Any], aspect: str) -> object:
    return mapping.get(aspect, {"type": "object", "enabled": True}.get(aspect, "by default"))


def _field(one: Field) -> dict[str, Any]:
    match one:
        case Value():
            return {"type": one.kind}
        case Keyword():
            return {"type": "keyword", "ignore_above": one.longest}
        case Text():
            return _text(one)
        case Date():
            return {"type": "date"} | ({"format": "||".join(one.formats)} if one.formats else {})
        case ScaledFloat():
            return {"type": "scaled_float", "scaling_factor": float(one.factor)}
        case Kept():
            return {"type": "object", "enabled": False}
        case Vector():
            return _vector(one)
        case Group():
            return _group(one)


def _text(one: Text) -> dict[str, Any]:
    kept = _OFFSETS if one.offsets else {}
    fields: dict[str, Any] = {
        name: {"type": "text", "analyzer": analyzer, **kept} for name, analyzer in one.also.items()
    }
    if one.keyword:
        fields["keyword"] = {"type": "keyword", "ignore_above": one.keyword}
    analyzer = {"analyzer": one.analyzer} if one.analyzer else {}
    return {"type": "text"} | analyzer | kept | ({"fields": fields} if fields else {})


def _vector(one: Vector) -> dict[str, Any]:
    method = {
        "name": "hnsw",
        "engine": one.engine,
        "space_type": "cosinesimil",
        "parameters": {"m": one.links, "ef_construction": one.effort},
    }
    return {"type": "knn_vector", "dimension": one.dimensions, "method": method}


def _group(one: Group) -> dict[str, Any]:
    made: dict[str, Any] = {"properties": {name: _field(inner) for name, inner in one.fields.items()}}
    if one.nested:
        made["type"] = "nested"
    if one.dynamic:
        made["dynamic"] = one.dynamic
    return made
