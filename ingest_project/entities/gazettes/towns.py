"""Towns by their names as gazettes write them. Pure; where the list comes from is decided elsewhere."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

ASSOCIATION = "00000"
"""Ends the territory ids of associations of towns."""

STATE_TOWNS = "towns"
"""Field of an association's gazettes: all territories of its state when it was listed, as one word."""

_PARTICLES = frozenset({"de", "da", "do", "das", "dos"})
_APOSTROPHE = re.compile(r"['’‘`´]\s*")
_ELIDED = re.compile(r"\bd ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """A row of the table of territories."""

    id: str
    name: str
    state_code: str
    state: str


def is_association(territory_id: str) -> bool:
    return territory_id.endswith(ASSOCIATION)


def plain(text: str) -> str:
    """In capitals, without accents or any letter that is not Latin."""
    dashed = text.replace("–", "-").replace("—", "-")
    return unicodedata.normalize("NFKD", dashed).encode("ascii", "ignore").decode().upper()


def slug(name: str) -> str:
    """Words in lower case without accents and particles, as ``olho-dagua-flores``."""
    bare = re.sub(r"[^a-z0-9]+", " ", plain(_APOSTROPHE.sub("", name)).lower())
    words = _ELIDED.sub("d", bare).split()
    return "-".join(word for word in words if word not in _PARTICLES)


class Towns:
    """The towns of all states, associations among them."""

    def __init__(self, towns: Iterable[Town]) -> None:
        self._ids: dict[str, Town] = {}
        self._names: dict[tuple[str, str], Town] = {}
        for town in towns:
            self._ids[town.id] = town
            if not is_association(town.id):
                self._names[town.state_code, slug(town.name)] = town

    def find(self, state_code: str, name: str) -> Town | None:
        """The town that is called so in a state, however it is spelled in capitals and accents."""
        return self._names.get((state_code, slug(name)))

    def get(self, id: str) -> Town | None:
        return self._ids.get(id)
