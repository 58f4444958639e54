"""Made-up values of every field type, as JSON text that the API sends: decimals quoted, relations as maps.

Deterministic by a word; some are null, empty, long or full of letters that must be escaped.
"""

from __future__ import annotations

import json
from random import Random

from ingest_project.testing import wms_fields as kinds
from ingest_project.testing.wms_fields import Field

_WORDS = (
    "Rua São João 45",
    'Caixa "frágil"',
    "N/A",
    "EXPRESS",
    "Nº 7\\B",
    "ruta 5 sur",
    "東京",
    "línea\nsegunda",
    "A&B <Ltda>",
    "O'Higgins",
    "0012",
    "\t",
    "emoji 📦",
    "DO NOT DOUBLE STACK",
)
_DIGITS = (
    "0.0000",
    "12.0000",
    "0.1000",
    "123456789012345.6789",
    "-3.5000",
    "99999999999999999999.9999",
    "1.0000",
)
_LONG = 400


def value_of(field: Field, word: str, base: str) -> str:
    """The value of a field that stands for nothing else, as JSON.

    Args:
        word: Chance: the same word gives the same value.
        base: URL of the entities, for relations.
    """
    chance = Random(f"{word}/{field.name}/{field.kind}")
    if not field.required and chance.random() < (0.9 if field.seldom else 0.25):
        return "null"
    return json.dumps(_plain(field, chance, base), ensure_ascii=chance.random() < 0.5, separators=(",", ":"))


def related(base: str, entity: str, row: int, key: str) -> dict[str, object]:
    """A relation as rows carry it."""
    return {"id": row, "key": key, "url": f"{base}/{entity}/{row}"}


def _plain(field: Field, chance: Random, base: str) -> object:
    if field.kind == kinds.INTEGER:
        return (
            chance.choice((0, 1, 7, 42, -1, 2**31, 2**53 + 1, 2**63 - 1))
            if chance.random() < 0.3
            else (chance.randrange(100_000))
        )
    if field.kind == kinds.DECIMAL:
        return chance.choice(_DIGITS) if chance.random() < 0.5 else f"{chance.randrange(10**7) / 100:.2f}00"
    if field.kind == kinds.BOOLEAN:
        return chance.random() < 0.5
    if field.kind in (kinds.DATE, kinds.TIMESTAMP):
        day = f"20{chance.randrange(20, 30)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
        return day if field.kind == kinds.DATE else f"{day}T{chance.randrange(24):02}:30:00.000001-03:00"
    if field.kind == kinds.RELATION:
        row = chance.randrange(1, 5000)
        stem = field.name.removesuffix("_id")
        return related(base, stem, row, f"{stem.upper()}-{row}")
    if field.kind == kinds.SET:
        return {"result_count": 0, "url": f"{base}/{field.name.removesuffix('_set')}/"}
    return _text(field, chance)


def _text(field: Field, chance: Random) -> str:
    if chance.random() < 0.15:
        return ""
    text = chance.choice(_WORDS) if chance.random() < 0.3 else f"{field.name[:6]}-{chance.randrange(10**6)}"
    return text * (_LONG // len(text)) if "long_text" in field.name and chance.random() < 0.1 else text
