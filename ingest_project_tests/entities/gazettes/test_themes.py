"""Themes as data: the real configuration is read whole, and a mistake is named with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.gazettes.themes import load_themes, themes_of

REAL = Path(__file__).parent / "data" / "themes_config.json"
"""The configuration of the original project (Querido Diario, data processing), as it stands there."""


def tree() -> dict[str, Any]:
    return {
        "themes": [
            {
                "name": "Clima",
                "index": "clima",
                "stopwords": ["lei"],
                "entities": {
                    "categories": [{"name": "orgao", "description": "x"}],
                    "cases": [{"category": "orgao", "title": "IBAMA", "values": ["ibama"]}],
                },
                "queries": [{"title": "Plano", "term_sets": [[["plano", "política"], ["clima"]]]}],
            }
        ]
    }


def test_the_real_configuration_is_read_whole() -> None:
    theme, other = load_themes(REAL)
    assert ("Políticas Ambientais", "ambiental", 11, 19) == (
        theme.name,
        theme.index,
        len(theme.queries),
        len(theme.cases),
    )
    assert ("Tecnologias na Educação", "educacao", 7, 9) == (
        other.name,
        other.index,
        len(other.queries),
        len(other.cases),
    )
    assert ("lei", "n°", "no.") == theme.stopwords
    assert (("plano", "política"), ("clima", "climática")) == theme.queries[4].term_sets[3]
    # A space at its end in the file.
    assert "comissão nacional da biodiversidade" in theme.phrases
    assert [(159, 159), (193, 193)] == [(len(one.phrases), len(set(one.phrases))) for one in (theme, other)]


def test_yaml_says_the_same_as_json(tmp_path: Path) -> None:
    import yaml

    path = tmp_path / "themes.yml"
    path.write_text(yaml.safe_dump(json.loads(REAL.read_text()), allow_unicode=True), encoding="utf-8")
    assert load_themes(REAL) == load_themes(path)


def test_a_theme_without_entities_or_stopwords_is_one() -> None:
    known = tree()
    del known["themes"][0]["entities"], known["themes"][0]["stopwords"]
    (theme,) = themes_of(known)
    assert ((), ()) == (theme.cases, theme.stopwords)


def put(*path: Any) -> Callable[[Any], None]:
    """Sets the value at a place; ``...`` takes it away."""
    *steps, last, value = path

    def change(found: Any) -> None:
        for step in steps:
            found = found[step]
        if value is ...:
            del found[last]
        else:
            found[last] = value

    return change


FIRST = ("themes", 0)
QUERY = (*FIRST, "queries", 0)
CASE = (*FIRST, "entities", "cases", 0)
WRONG: list[tuple[Callable[[Any], None], str]] = [
    (put("themes", ...), "the file: themes is missing"),
    (put("themes", []), "themes: expected a list with something in it"),
    (put("theme", 1), "the file: 'theme' is none of themes"),
    (put(*FIRST, "clima"), r"themes[0]: expected an object with name, index, queries"),
    (put(*FIRST, "name", " "), "themes[0].name: expected a text"),
    (put(*FIRST, "index", "Clima"), "themes[0].index: 'Clima' is no name of an index"),
    (put(*FIRST, "queries", ...), "themes[0]: queries is missing"),
    (put(*QUERY, "tittle", "x"), "themes[0].queries[0]: 'tittle' is none of title, term_sets"),
    (put(*QUERY, "title", 7), "themes[0].queries[0].title: expected a text"),
    (put(*QUERY, "term_sets", 0, 1, []), "themes[0].queries[0].term_sets[0][1]: expected a list"),
    (put(*QUERY, "term_sets", 0, 0, 1, None), "themes[0].queries[0].term_sets[0][0][1]: expected a text"),
    (put(*QUERY, "term_sets", 0, 0, "plano"), "themes[0].queries[0].term_sets[0][0]: expected a list"),
    (put(*CASE, "category", "ente"), "themes[0].entities.cases[0].category: 'ente' is none of orgao"),
    (put(*CASE, "values", 0, ""), "themes[0].entities.cases[0].values[0]: expected a text"),
    (
        put(*FIRST, "entities", "categories", 0, "name", "Órgão>"),
        "themes[0].entities.categories[0].name: 'Órgão>' can't be a tag",
    ),
    (put(*FIRST, "stopwords", [1]), "themes[0].stopwords[0]: expected a text"),
]


@pytest.mark.parametrize(("change", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_mistake_is_named_with_its_place(change: Callable[[Any], None], said: str) -> None:
    known = tree()
    change(known)
    with pytest.raises(ConfigurationError) as caught:
        themes_of(known)
    assert str(caught.value).startswith(said)


def test_two_themes_of_one_index_or_two_subthemes_of_one_title_are_refused() -> None:
    known = tree()
    known["themes"].append(known["themes"][0] | {"name": "Another"})
    with pytest.raises(ConfigurationError, match=r"themes\[1\].index: 'clima' is there twice"):
        themes_of(known)
    known = tree()
    known["themes"][0]["queries"] *= 2
    with pytest.raises(ConfigurationError, match=r"queries\[1\].title: 'Plano' is there twice"):
        themes_of(known)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{"themes": [', "no JSON: .* line 1 column 13"),
        ("a.yaml", "themes: [", r"no YAML: [\s\S]*line 1, column 10"),
        ("a.json", "[]", "the file: expected an object with themes"),
    ],
)
def test_what_is_no_file_of_themes_is_named_with_its_path(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=f"{path}: {said}"):
        load_themes(path)
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_themes(tmp_path / "none.json")


def test_the_fingerprint_changes_with_whatever_is_looked_for() -> None:
    (one,) = themes_of(tree())
    known = tree()
    known["themes"][0]["queries"][0]["term_sets"][0][1].append("climática")
    (other,) = themes_of(known)
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == themes_of(tree())[0].fingerprint
