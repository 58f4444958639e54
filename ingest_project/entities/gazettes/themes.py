"""Themes: what is looked for in gazettes, read from JSON or YAML. A mistake is refused with its place.

Values only; what becomes of them in a search is in searching.py, in an excerpt in tagging.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from ingest_project.core.documents import fingerprint_of
from ingest_project.core.errors import ConfigurationError
from ingest_project.sinks.indexes import name_fault

T = TypeVar("T")

_TAG = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One subtheme.

    Attributes:
        term_sets: One of them is found where, of each of its sets, one phrase stands near the others.
    """

    title: str
    term_sets: tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An entity that is tagged where one of its spellings stands.

    Attributes:
        category: Name of the tag.
        values: Spellings, the case of letters aside.
    """

    category: str
    title: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """What is looked for, and where what was found goes.

    Attributes:
        index: Alias of the theme's index.
        stopwords: Words that say nothing on the theme. Kept with it; no search leaves them out, for they are
            part of names of laws.
    """

    name: str
    index: str
    queries: tuple[Query, ...]
    cases: tuple[Case, ...] = ()
    stopwords: tuple[str, ...] = ()

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the subthemes; what an excerpt is compared with in meaning."""
        return tuple(query.title for query in self.queries)

    @property
    def phrases(self) -> tuple[str, ...]:
        """Every phrase of its queries once, in order."""
        found = (
            phrase
            for query in self.queries
            for near in query.term_sets
            for phrases in near
            for phrase in phrases
        )
        return tuple(dict.fromkeys(found))

    @property
    def fingerprint(self) -> str:
        """Of all that decides which excerpts there are and what stands in them."""
        return fingerprint_of(json.dumps(asdict(self), sort_keys=True))


def load_themes(path: Path) -> tuple[Theme, ...]:
    """The themes of a file: YAML when its name says so, else JSON.

    Raises:
        ConfigurationError: It can't be read, or something in it is not as it must be; says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"themes: {path} can't be read: {error}") from error
    try:
        return themes_of(_decoded(text, yaml=path.suffix.lower() in (".yaml", ".yml")))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def themes_of(tree: object) -> tuple[Theme, ...]:
    """Themes of what a JSON or YAML file holds.

    Raises:
        ConfigurationError: Something is not as it must be: ``themes[0].queries[2].title: expected a text``.
    """
    top = _Place(tree, "")
    top.only("themes")
    themes = top.at("themes").each(_theme)
    for word in ("index", "name"):
        _distinct([getattr(theme, word) for theme in themes], "themes", word)
    return themes


def _decoded(text: str, *, yaml: bool) -> object:
    try:
        if not yaml:
            return json.loads(text)
        try:
            from yaml import YAMLError, safe_load
        except ImportError as error:
            raise ConfigurationError("YAML needs PyYAML: pip install 'ingest-project[documents]'") from error
        try:
            return safe_load(text)
        except YAMLError as error:
            raise ConfigurationError(f"no YAML: {error}") from error
    except ValueError as error:
        raise ConfigurationError(f"no JSON: {error}") from error


@dataclass(frozen=True, slots=True)
class _Place:
    """A value in the file and the way to it."""

    value: Any
    path: str

    def fault(self, said: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path or 'the file'}: {said}")

    def only(self, *names: str, also: Sequence[str] = ()) -> None:
        """An object with these members, some of ``also``, and no others."""
        if not isinstance(self.value, Mapping):
            raise self.fault(f"expected an object with {', '.join(names)}")
        if missing := [name for name in names if name not in self.value]:
            raise self.fault(f"{missing[0]} is missing")
        if unknown := [name for name in self.value if name not in (*names, *also)]:
            raise self.fault(f"{unknown[0]!r} is none of {', '.join((*names, *also))}")

    def at(self, name: str) -> _Place:
        return _Place(self.value.get(name), f"{self.path}.{name}".lstrip("."))

    def each(self, read: Callable[[_Place], T], *, empty: bool = False) -> tuple[T, ...]:
        """What ``read`` makes of the members of a list."""
        if not isinstance(self.value, list) or not (self.value or empty):
            raise self.fault("expected a list" + ("" if empty else " with something in it"))
        return tuple(read(one) for one in self._members())

    def text(self) -> str:
        """A text with something in it; white space around it and doubled inside is a slip."""
        found = " ".join(self.value.split()) if isinstance(self.value, str) else ""
        if not found:
            raise self.fault("expected a text")
        return found

    def _members(self) -> Iterator[_Place]:
        for number, value in enumerate(self.value):
            yield _Place(value, f"{self.path}[{number}]")


def _theme(place: _Place) -> Theme:
    place.only("name", "index", "queries", also=("stopwords", "entities"))
    index = place.at("index").text()
    if fault := name_fault(index):
        raise place.at("index").fault(f"{index!r} is no name of an index: it {fault}")
    queries = place.at("queries").each(_query)
    _distinct([query.title for query in queries], place.at("queries").path, "title")
    return Theme(
        name=place.at("name").text(),
        index=index,
        queries=queries,
        cases=_cases(place.at("entities")) if "entities" in place.value else (),
        stopwords=place.at("stopwords").each(_Place.text, empty=True) if "stopwords" in place.value else (),
    )


def _query(place: _Place) -> Query:
    place.only("title", "term_sets")
    term_sets = place.at("term_sets").each(
        lambda near: near.each(lambda phrases: tuple(dict.fromkeys(phrases.each(_Place.text))))
    )
    return Query(title=place.at("title").text(), term_sets=term_sets)


def _cases(place: _Place) -> tuple[Case, ...]:
    place.only("categories", "cases")
    categories = place.at("categories").each(_category, empty=True)

    def case(one: _Place) -> Case:
        one.only("category", "title", "values")
        category = one.at("category")
        if category.text() not in categories:
            raise category.fault(f"{category.value!r} is none of {', '.join(categories)}")
        values = one.at("values").each(_Place.text)
        return Case(category=category.text(), title=one.at("title").text(), values=values)

    return place.at("cases").each(case, empty=True)


def _category(place: _Place) -> str:
    place.only("name", also=("description",))
    name = place.at("name")
    if not _TAG.fullmatch(name.text()):
        raise name.fault(f"{name.value!r} can't be a tag: lower case letters, digits, - and _ only")
    return name.text()


def _distinct(found: Sequence[str], where: str, what: str) -> None:
    for number, value in enumerate(found):
        if value in found[:number]:
            raise ConfigurationError(f"{where}[{number}].{what}: {value!r} is there twice")
