"""Pages that look whole and are wrong: given twice, out of order, without an end. Scripts say which.

Transport faults (status, reset, cut, slow) are fault_scripts'.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from ingest_project.testing.wms_filters import Filters
from ingest_project.testing.wms_paging import Page
from ingest_project.testing.wms_query import SEQUENCED, Query

REPEATED, ENDLESS, UNORDERED, DOUBLED, GAPPED, TORN, BARE, UNFILTERED = (
    "repeated",
    "endless",
    "unordered",
    "doubled",
    "gapped",
    "torn",
    "bare",
    "unfiltered",
)
MISCHIEF = (REPEATED, ENDLESS, UNORDERED, DOUBLED, GAPPED, TORN, BARE, UNFILTERED)
"""What can be wrong with a page: the page before once more; next_page leads to itself; rows in reverse; a row
twice; an empty page though more follow; JSON that ends in the middle; an object without results; rows that
the filters leave out, as if there were none."""

SHORT = "short"
UNUSUAL = (SHORT,)
"""What is right and seldom: a page with fewer rows than it may have, though more follow. Only in sequenced
mode: offsets need full pages."""

PageScript = Callable[[int], str]
"""Number of the list request (from 0) -> one of MISCHIEF or UNUSUAL, or nothing."""


def no_mischief(number: int) -> str:
    """Every page is right."""
    return ""


def pages_in_order(*kinds: str) -> PageScript:
    """The first list requests meet these, all later ones nothing; "" passes."""
    return lambda number: kinds[number] if number < len(kinds) else ""


def pages_from(first: int, kind: str) -> PageScript:
    """This and every later list request meets it."""
    return lambda number: kind if number >= first else ""


def pages_at_random(seed: int, kinds: Sequence[str], share: float) -> PageScript:
    """Each list request meets one of them with the probability ``share``."""

    def script(number: int) -> str:
        dice = random.Random(f"{seed}/page/{number}")
        return dice.choice(kinds) if dice.random() < share else ""

    return script


class Mischief:
    """Spoils pages as a script says, and counts what it did.

    Attributes:
        cursed: Entity -> ids of rows whose pages are torn, each time. A page of one row is spared, so that
            counts are right.
    """

    def __init__(self, script: PageScript = no_mischief) -> None:
        self.script, self.met = script, dict[str, int]()
        self.cursed: dict[str, frozenset[int]] = {}
        self._last: dict[str, Page] = {}

    def adapted(self, query: Query, number: int) -> Query:
        """The query that is answered in place of the one that was asked."""
        kind = self.script(number)
        if kind == UNFILTERED:
            return replace(query, filters=Filters())
        short = kind == SHORT and query.mode == SEQUENCED
        return replace(query, size=max(query.size // 2, 1)) if short else query

    def body(self, number: int, entity: str, page: Page, own_url: str) -> bytes:
        """The text that is sent in place of the page's own."""
        kind = self.script(number) or self._curse(entity, page)
        before, self._last[entity] = self._last.get(entity), page
        if not kind:
            return page.body()
        self.met[kind] = self.met.get(kind, 0) + 1
        if kind in (UNFILTERED, SHORT):
            return page.body()
        if kind == TORN:
            return page.body()[: max(len(page.body()) // 2, 1)]
        if kind == BARE:
            return b'{"next_page":null,"previous_page":null}'
        return _spoiled(kind, page, before, own_url).body()

    def _curse(self, entity: str, page: Page) -> str:
        heads = tuple(b'{"id":%d,' % row for row in self.cursed.get(entity, ()))
        hit = len(page.rows) > 1 and any(row.startswith(heads) for row in page.rows)
        return TORN if hit else ""


def _spoiled(kind: str, page: Page, before: Page | None, own_url: str) -> Page:
    if kind == REPEATED:
        return before or page
    if kind == ENDLESS:
        return replace(page, following=own_url)
    if kind == UNORDERED:
        return replace(page, rows=page.rows[::-1])
    if kind == DOUBLED:
        return replace(page, rows=(*page.rows[:1], *page.rows))
    return replace(page, rows=())
