"""IndexContract: how an entity's documents can be searched: declared fields, and what undeclared ones become.

Values that are checked when they are made, so that a wrong contract fails at import. What OpenSearch is told
of it lives in sinks.mappings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from ingest_project.core.errors import ConfigurationError

DYNAMIC = ("true", "false", "strict")
MALFORMED = ("ignore", "refuse")
KINDS = frozenset(
    {
        *("byte", "short", "integer", "long", "unsigned_long"),
        *("half_float", "float", "double", "boolean", "geo_point", "ip", "binary", "rank_feature"),
    }
)
ENGINES, MOST_DIMENSIONS = ("lucene", "faiss"), 16_000
"""Of k-NN. Lucene's needs no native library and looks at filters while it searches: it comes first."""

MOST_FIELDS, MOST_DEPTH, LONGEST_WORD = 2500, 20, 32_766 // 4
"""OpenSearch's own depth; half of the fields that an index of ours may have; a term's bytes in characters of
four."""

_RESERVED = frozenset(
    {
        "_id",
        "_index",
        "_source",
        "_routing",
        "_field_names",
        "_ignored",
        "_nested_path",
        "_seq_no",
        "_version",
    }
)
_LANGUAGES = (
    "arabic armenian basque bengali brazilian bulgarian catalan cjk czech danish dutch english estonian "
    "finnish french galician german greek hindi hungarian indonesian irish italian latvian lithuanian "
    "norwegian persian portuguese romanian russian sorani spanish swedish thai turkish"
)
ANALYZERS = frozenset(
    {"standard", "simple", "whitespace", "stop", "keyword", "pattern", "fingerprint", *_LANGUAGES.split()}
)
"""Analyzers that need no plugin."""

_ANALYSIS = frozenset({"analyzer", "tokenizer", "filter", "char_filter", "normalizer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A field of one of KINDS: numbers, booleans, points, addresses."""

    kind: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(f"kind {self.kind!r} is none of {', '.join(sorted(KINDS))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A text searched as one word. A longer one than ``longest`` is kept, and not found."""

    longest: int = 1024

    def __post_init__(self) -> None:
        if not 1 <= self.longest <= LONGEST_WORD:
            raise ConfigurationError(f"longest must be 1 to {LONGEST_WORD}, not {self.longest}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Full text.

    Attributes:
        analyzer: One of ANALYZERS or of the contract's ``analysis``; empty is the index's default.
        keyword: Up to so many characters also as one word, under ``<name>.keyword``; 0: not.
        also: Analyzed in other ways, too: name below the field's -> analyzer.
        offsets: The index keeps where each term stands: texts of any length can be highlighted.
    """

    analyzer: str = ""
    keyword: int = 0
    also: Mapping[str, str] = field(default_factory=dict)
    offsets: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.keyword <= LONGEST_WORD:
            raise ConfigurationError(f"keyword must be 0 to {LONGEST_WORD}, not {self.keyword}")
        if any(not name or "." in name or (self.keyword and name == "keyword") for name in self.also):
            raise ConfigurationError(f"also: {', '.join(map(repr, self.also))}: not names below a field's")


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """A date. ``formats``: tried in order, in Java's or OpenSearch's spelling; none: ISO or milliseconds."""

    formats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(not one or "||" in one for one in self.formats):
            raise ConfigurationError(f"formats must be single formats, not {self.formats!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledFloat:
    """A number kept as a long after multiplication, 100 for cents."""

    factor: float

    def __post_init__(self) -> None:
        if not (isfinite(self.factor) and self.factor > 0):
            raise ConfigurationError(f"factor must be above 0, not {self.factor}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A field that is kept in the document and never searched; it may hold anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """An object of fields. ``nested``: each object of a list is searched by itself. ``dynamic``: as in
    IndexContract; empty is as around it."""

    fields: Mapping[str, Field]
    nested: bool = False
    dynamic: str = ""

    def __post_init__(self) -> None:
        if self.dynamic not in ("", *DYNAMIC):
            raise ConfigurationError(f"dynamic {self.dynamic!r} is none of {', '.join(DYNAMIC)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """Numbers whose nearest neighbours by the cosine are searched; the server needs the plugin k-NN.

    Attributes:
        engine: One of ENGINES, as sinks.nearest.offered_engine finds it.
        links, effort: Of the graph: neighbours of each, and candidates when one is added.
    """

    dimensions: int
    engine: str = "lucene"
    links: int = 16
    effort: int = 100

    def __post_init__(self) -> None:
        if not 1 <= self.dimensions <= MOST_DIMENSIONS:
            raise ConfigurationError(f"dimensions must be 1 to {MOST_DIMENSIONS}, not {self.dimensions}")
        if self.engine not in ENGINES:
            raise ConfigurationError(f"engine {self.engine!r} is none of {', '.join(ENGINES)}")


Field = Value | Keyword | Text | Date | ScaledFloat | Kept | Vector | Group


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexContract:
    """How the documents of an entity are indexed.

    Attributes:
        fields: Declared fields by name; objects inside are Groups.
        dynamic: Undeclared fields: ``true``: searched by the defaults of docs/decisions/0005; ``false``: kept
            and not searched; ``strict``: their document is refused.
        malformed: A declared number, date, point or address that is none: ``ignore`` leaves that value out of
            the search, ``refuse`` refuses the document. A malformed boolean is always refused.
        analysis: Analyzers of one's own, as OpenSearch's ``index.analysis`` takes them.
        settings: Further settings of new indices by their full name, ``{"index.number_of_shards": 3}``;
            a tuple of texts is a list.
    """

    fields: Mapping[str, Field] = field(default_factory=dict)
    dynamic: str = "true"
    malformed: str = "ignore"
    analysis: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, str | int | float | bool | tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.dynamic not in DYNAMIC:
            raise ConfigurationError(f"dynamic {self.dynamic!r} is none of {', '.join(DYNAMIC)}")
        if self.malformed not in MALFORMED:
            raise ConfigurationError(f"malformed {self.malformed!r} is none of {', '.join(MALFORMED)}")
        if unknown := self.analysis.keys() - _ANALYSIS:
            raise ConfigurationError(f"analysis has no {', '.join(sorted(unknown))}")
        _check_settings(self.settings)
        analyzers = ANALYZERS | self.analysis.get("analyzer", {}).keys()
        count = 0
        for path, one in _walk(self.fields, ()):
            count += 1
            named = [one.analyzer, *one.also.values()] if isinstance(one, Text) else []
            for analyzer in named:
                if analyzer and analyzer not in analyzers:
                    raise ConfigurationError(f"field {path}: there is no analyzer {analyzer!r}")
        if count > MOST_FIELDS:
            raise ConfigurationError(f"{count} fields are declared; {MOST_FIELDS} at most")


def _walk(fields: Mapping[str, Field], above: tuple[str, ...]) -> Iterator[tuple[str, Field]]:
    """Every field with its path, groups before what is in them. Raises ConfigurationError."""
    if len(above) >= MOST_DEPTH:
        raise ConfigurationError(f"field {'.'.join(above)}: more than {MOST_DEPTH} groups in each other")
    for name, one in fields.items():
        path = ".".join((*above, name))
        if not name or name != name.strip() or "." in name or (not above and name in _RESERVED):
            raise ConfigurationError(f"field {path!r}: not a field's name (for a.b use a Group)")
        if not isinstance(one, Field):
            raise ConfigurationError(f"field {path}: {one!r} is no kind of field")
        yield path, one
        if isinstance(one, Group):
            yield from _walk(one.fields, (*above, name))


def _check_settings(settings: Mapping[str, object]) -> None:
    ours = {"index.analysis": "analysis", "index.mapping.ignore_malformed": "malformed"}
    for name, value in settings.items():
        for start, instead in ours.items():
            if name.startswith(start):
                raise ConfigurationError(f"setting {name}: say it with `{instead}`")
        if not name.startswith("index.") or not isinstance(value, str | int | float | bool | tuple):
            raise ConfigurationError(f"setting {name}={value!r}: must be index.<name> and one plain value")


BY_DEFAULT = IndexContract()
"""Documents of unknown shape."""
