"""How rows of the warehouse are searched: codes and ids as words, numbers by value, prose as text.

Declared are the known fields; one that comes later is searched by the defaults.
"""

from __future__ import annotations

from ingest_project.core.indexing import Date, Field, IndexContract, Kept, Keyword, Text, Value
from ingest_project.core.model import KeySchema
from ingest_project.entities.wms.kinds import (
    BOOLEAN,
    DATE,
    DECIMAL,
    INTEGER,
    RELATION,
    SET,
    TIMESTAMP,
    kind_of_letter,
)
from ingest_project.entities.wms.known import KNOWN
from ingest_project.entities.wms.values import (
    DELETED,
    DELETED_AT,
    VERSION,
    attribute,
    count_attribute,
    key_attribute,
)

_PROSE = ("_text_", "gift_msg", "spl_instr", "_addr", "_name", "_contact", "_city")
_WORD = 256
_BY_KIND: dict[str, Field] = {
    INTEGER: Value(kind="long"),
    DECIMAL: Value(kind="double"),
    BOOLEAN: Value(kind="boolean"),
    TIMESTAMP: Date(),
    DATE: Date(),
    RELATION: Keyword(),
}


def index(entity: str, keys: KeySchema) -> IndexContract:
    """The index of an entity of the API."""
    fields: dict[str, Field] = {}
    for name, letter in KNOWN[entity].items():
        kind = kind_of_letter(name, letter)
        if kind == RELATION:
            fields.setdefault(key_attribute(name), Keyword())
        if kind == SET:
            fields.setdefault(count_attribute(name), Value(kind="long"))
        fields[attribute(name)] = _field(name, kind)
    made: dict[str, Field] = {VERSION: Value(kind="long"), DELETED: Value(kind="boolean"), DELETED_AT: Date()}
    return IndexContract(fields=fields | made)


def _field(name: str, kind: str) -> Field:
    if kind == SET or name == "url":
        return Kept()
    if known := _BY_KIND.get(kind):
        return known
    return Text(keyword=_WORD) if any(word in name for word in _PROSE) else Keyword()
