"""Tags in an excerpt: entities of its theme, and CNPJ numbers (companies' ids) whose check digits are right.

Pure. Tagging a tagged text changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest_project.entities.gazettes.themes import Case, Theme

CNPJ = "cnpj"
"""Category of company numbers."""

_DOTTED = r"[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-[0-9]{2}"
_PLAIN = r"[0-9]{2}\.?[0-9]{3}\.?[0-9]{3}/?[0-9]{4}-?[0-9]{2}"
_NUMBER = rf"(?<![0-9A-Za-z.,/-])(?:{_DOTTED}|{_PLAIN})(?![0-9A-Za-z]|[.,/-][0-9])"
"""Letters are allowed since July 2026; they are believed only between the signs that belong there."""

_WEIGHTS = ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A text with tags.

    Attributes:
        entities: Titles of the cases that were found, in their theme's order.
        companies: CNPJ numbers that were found, without signs, in order.
    """

    text: str
    entities: tuple[str, ...]
    companies: tuple[str, ...]


class Tagger:
    """Tags of one theme."""

    def __init__(self, theme: Theme) -> None:
        self._cases = theme.cases
        categories = sorted({CNPJ, *(case.category for case in theme.cases)})
        self._tags = re.compile(rf"</?(?:{'|'.join(map(re.escape, categories))})>")
        spellings = {_folded(value): case for case in reversed(theme.cases) for value in case.values}
        # A letter that the pattern takes for another one (a long s) may leave a word unknown: no tag then.
        self._spellings: dict[str, Case] = spellings
        # The longest first: of two spellings that begin at one place it is the one that is meant.
        words = sorted(spellings, key=len, reverse=True)
        found = "|".join(r"\s+".join(map(re.escape, word.split())) for word in words)
        entity = rf"|(?P<entity>(?<!\w)(?:{found})(?!\w))" if words else ""
        self._found = re.compile(rf"(?P<company>{_NUMBER}){entity}", re.IGNORECASE)

    def bare(self, text: str) -> str:
        """The text without tags of this theme."""
        while (less := self._tags.sub("", text)) != text:
            text = less
        return text

    def tagged(self, text: str) -> Tagged:
        """The text with each entity and each right CNPJ number inside a tag named after its category."""
        titles: set[str] = set()
        companies: dict[str, None] = {}

        def tag(found: re.Match[str]) -> str:
            word = found.group()
            if found.lastgroup == "company":
                number = cnpj_digits(word)
                if not is_cnpj(number):
                    return word
                companies[number] = None
                return _between(CNPJ, word)
            case = self._spellings.get(_folded(word))
            if case is None:
                return word
            titles.add(case.title)
            return _between(case.category, word)

        made = self._found.sub(tag, self.bare(text))
        entities = dict.fromkeys(case.title for case in self._cases if case.title in titles)
        return Tagged(text=made, entities=tuple(entities), companies=tuple(companies))


def cnpj_digits(text: str) -> str:
    """A CNPJ number without the signs between its parts."""
    return re.sub(r"[./-]", "", text).upper()


def is_cnpj(number: str) -> bool:
    """Whether the check digits of a number without signs are right; one sign fourteen times is no number."""
    if not re.fullmatch(r"[0-9A-Z]{12}[0-9]{2}", number) or len(set(number)) == 1:
        return False
    values = [ord(sign) - ord("0") for sign in number]
    for weights in _WEIGHTS:
        rest = sum(value * weight for value, weight in zip(values, weights, strict=False)) % 11
        if values[len(weights)] != (0 if rest < 2 else 11 - rest):
            return False
    return True


def _between(category: str, text: str) -> str:
    return f"<{category}>{text}</{category}>"


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
