"""How gazettes and excerpts are searched: the contracts of their indices, and names in their documents."""

from __future__ import annotations

from typing import Any

from ingest_project.core.indexing import Date, Field, IndexContract, Keyword, Text, Value

DOCUMENT, REVISION = "document_id", "revision"
"""In each document of an index: of which row of the ledger it is, and as what it was indexed."""

TEXT, EXCERPT, SCORE, BASIS = "source_text", "excerpt", "excerpt_embedding_score", "excerpt_embedding_basis"
SUBTHEMES, ENTITIES, COMPANIES, EXCERPT_ID = (
    "excerpt_subthemes",
    "excerpt_entities",
    "excerpt_cnpjs",
    "excerpt_id",
)
TEXT_URI = "text_uri"
SOURCE = "source_"
"""Stands before the name of a gazette's field in an excerpt."""

BRAZILIAN, WITH_STOPWORDS, EXACT = "brazilian_text", "brazilian_with_stopwords", "exact"
_ALSO = {"with_stopwords": WITH_STOPWORDS, "exact": EXACT}

_DAY = Date(formats=("yyyy-MM-dd",))
_TIME = Date(formats=("strict_date_optional_time", "yyyy-MM-dd HH:mm:ss[.SSSSSS][XXX]"))
_FIELDS: dict[str, Field] = {
    "territory_id": Keyword(),
    "date": _DAY,
    "file_checksum": Keyword(),
    "territory_name": Keyword(),
    "state_code": Keyword(),
    "state": Keyword(),
    "edition_number": Keyword(),
    "is_extra_edition": Value(kind="boolean"),
    "power": Keyword(),
    "file_path": Keyword(),
    "file_url": Keyword(),
    TEXT_URI: Keyword(),
    "scraped_at": _TIME,
    "created_at": _TIME,
}
FIELDS = tuple(_FIELDS)
"""What a gazette tells of itself beside its text."""

_SORTED: dict[str, str | int | float | bool | tuple[str, ...]] = {
    "index.sort.field": ("territory_id", "date"),
    "index.sort.order": ("asc", "desc"),
}


def gazettes(*, shards: int = 1) -> IndexContract:
    """The index of gazettes: one document a gazette, or one a town's part of it."""
    text = Text(analyzer=BRAZILIAN, also=_ALSO, offsets=True)
    ours: dict[str, Field] = {DOCUMENT: Keyword(), REVISION: Keyword(), TEXT: text}
    return IndexContract(
        fields=ours | _FIELDS,
        dynamic="false",
        analysis=_analysis(),
        settings={**_SORTED, "index.number_of_shards": shards},
    )


def excerpts(*, shards: int = 1) -> IndexContract:
    """The index of a theme: one document an excerpt. Tags in an excerpt are no words of it."""
    ours: dict[str, Field] = {
        DOCUMENT: Keyword(),
        REVISION: Keyword(),
        EXCERPT: Text(analyzer=BRAZILIAN, also=_ALSO, offsets=True),
        EXCERPT_ID: Keyword(),
        SUBTHEMES: Keyword(),
        ENTITIES: Keyword(),
        COMPANIES: Keyword(),
        SCORE: Value(kind="rank_feature"),
        BASIS: Keyword(),
    }
    return IndexContract(
        fields=ours | {SOURCE + name: one for name, one in _FIELDS.items()},
        dynamic="false",
        analysis=_analysis(char_filter=["html_strip"]),
        settings={"index.number_of_shards": shards},
    )


def _analysis(**more: list[str]) -> dict[str, dict[str, Any]]:
    """The language's own analyzer spelled out, so that tags can be taken out before; the same that keeps stop
    words, for phrases; and words as they stand."""
    words = {"type": "custom", "tokenizer": "standard", **more}
    return {
        "filter": {
            "brazilian_stop": {"type": "stop", "stopwords": "_brazilian_"},
            "brazilian_stemmer": {"type": "stemmer", "language": "brazilian"},
        },
        "analyzer": {
            BRAZILIAN: {**words, "filter": ["lowercase", "brazilian_stop", "brazilian_stemmer"]},
            WITH_STOPWORDS: {**words, "filter": ["lowercase", "brazilian_stemmer"]},
            EXACT: {**words, "filter": ["lowercase"]},
        },
    }
