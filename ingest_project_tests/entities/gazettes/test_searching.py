"""Queries and excerpts: the shape that the domain asks for, without a server."""

from __future__ import annotations

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.gazettes.searching import FIELD, fragments_of, merged, search_of
from ingest_project.entities.gazettes.themes import Query

TERMS = {"plano": ["plan"], "planos": ["plan"], "lei federal": ["lei", "feder"], "clima": ["clim"], "n°": []}


def term(word: str) -> dict[str, object]:
    return {"span_term": {FIELD: word}}


def test_sets_of_phrases_stand_near_each_other_in_any_order() -> None:
    query = Query(title="q", term_sets=((("plano", "planos", "lei federal"), ("clima",)), (("clima",),)))
    phrase = {"span_near": {"clauses": [term("lei"), term("feder")], "slop": 0, "in_order": True}}
    near = {
        "span_near": {
            "clauses": [{"span_or": {"clauses": [term("plan"), phrase]}}, term("clim")],
            "slop": 20,
            "in_order": False,
        }
    }
    assert {"bool": {"should": [near, term("clim")], "minimum_should_match": 1}} == search_of(query, TERMS)


def test_a_phrase_of_which_nothing_is_left_is_named() -> None:
    with pytest.raises(ConfigurationError, match="one of the phrases 'n°' has no word"):
        search_of(Query(title="q", term_sets=((("n°",),),)), TERMS)


def test_excerpts_are_collapsed_before_the_short_ones_are_left_out() -> None:
    long, short = "palavra " * 25, "palavra\n\n   " * 24
    hit = {"highlight": {FIELD: [f"  {long}\n\t fim", short]}}
    assert [long.strip() + " fim"] == fragments_of(hit)
    assert [] == fragments_of({})


def test_one_excerpt_of_several_subthemes_keeps_them_all() -> None:
    pairs = [("Água", "a"), ("Clima", "b"), ("Clima", "a"), ("Água", "a")]
    assert {"a": ["Água", "Clima"], "b": ["Clima"]} == merged(pairs)
