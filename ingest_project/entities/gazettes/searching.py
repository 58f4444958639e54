"""A theme's queries as OpenSearch takes them, and excerpts out of what it highlights. Pure.

Phrases are handed in as the index's own analyzer splits them: what is searched for are its terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.gazettes.themes import Query

FIELD = "source_text.with_stopwords"
SLOP = 20
"""Words that may stand between the phrases of a set, in any order."""

FRAGMENT, FRAGMENTS = 2000, 10
LEAST = 200
"""Characters of the shortest excerpt that is kept."""

GAZETTES = 250
"""Gazettes that one search looks into."""

Terms = Mapping[str, Sequence[str]]
"""Phrase -> its terms in FIELD."""


def search_of(query: Query, terms: Terms) -> dict[str, Any]:
    """What finds the gazettes with the subtheme.

    Raises:
        ConfigurationError: Nothing is left of a phrase when it is analyzed.
    """
    return {"bool": {"should": [_near(sets, terms) for sets in query.term_sets], "minimum_should_match": 1}}


def highlight() -> dict[str, Any]:
    """What has each gazette answered with its fragments; their matches are not marked."""
    settings = {
        "type": "unified",
        "fragment_size": FRAGMENT,
        "number_of_fragments": FRAGMENTS,
        "pre_tags": [""],
        "post_tags": [""],
    }
    return {"fields": {FIELD: settings}}


def fragments_of(hit: Mapping[str, Any]) -> list[str]:
    """Excerpts of one hit: white space collapsed, the short ones left out."""
    collapsed = (" ".join(one.split()) for one in hit.get("highlight", {}).get(FIELD, ()))
    return [text for text in collapsed if len(text) >= LEAST]


def merged(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Excerpt -> its subthemes, of pairs of subtheme and excerpt; each in the order of its first."""
    excerpts: dict[str, list[str]] = {}
    for title, excerpt in found:
        titles = excerpts.setdefault(excerpt, [])
        if title not in titles:
            titles.append(title)
    return excerpts


def _near(sets: Sequence[Sequence[str]], terms: Terms) -> dict[str, Any]:
    clauses = [_any(phrases, terms) for phrases in sets]
    if len(clauses) == 1:
        return clauses[0]
    return {"span_near": {"clauses": clauses, "slop": SLOP, "in_order": False}}


def _any(phrases: Sequence[str], terms: Terms) -> dict[str, Any]:
    # Two spellings may come to the same terms.
    wanted = dict.fromkeys(tuple(terms[phrase]) for phrase in phrases)
    clauses = [_phrase(phrase, phrases) for phrase in wanted]
    return clauses[0] if len(clauses) == 1 else {"span_or": {"clauses": clauses}}


def _phrase(words: Sequence[str], phrases: Sequence[str]) -> dict[str, Any]:
    if not words:
        raise ConfigurationError(
            f"one of the phrases {', '.join(map(repr, phrases))} has no word to look for"
        )
    clauses = [{"span_term": {FIELD: word}} for word in words]
    return (
        clauses[0] if len(clauses) == 1 else {"span_near": {"clauses": clauses, "slop": 0, "in_order": True}}
    )
