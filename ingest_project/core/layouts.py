"""Layouts: the headers that an entity's CSV files or sheets may have, and the rule by which headings are
equal. Values; no file is read here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_BETWEEN_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One known header: its columns by canonical name, in no order.

    Attributes:
        name: Tells layouts apart, e.g. ``lines``.
        required: A header without one of them is another header.
        optional: Taken where they stand.
        aliases: Other heading -> canonical name.

    Raises:
        ValueError: A name is not spelled as ``heading`` spells it, stands twice, or an alias leads nowhere.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = (*self.required, *self.optional)
        odd = [name for name in columns if heading(name) != name or not name or columns.count(name) > 1]
        odd += [alias for alias, name in self.aliases.items() if name not in columns]
        if odd or not self.required:
            raise ValueError(f"layout {self.name}: not a name, twice there or leading nowhere: {odd}")

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.required, *self.optional)

    def headings(self) -> dict[str, str]:
        """Every heading that is known here, as ``heading`` spells it -> canonical name."""
        names = {heading(alias): name for alias, name in self.aliases.items()}
        return names | {name: name for name in self.columns}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Where in a workbook the rows stand.

    Attributes:
        header: The row with the headings, counted from 1 as on the screen.
    """

    name: str
    header: int = 1


def heading(text: str) -> str:
    """``Kode Pesanan``, `` KODE_PESANAN`` and ``kode-pesanan`` are one: ``kode_pesanan``."""
    return _BETWEEN_WORDS.sub("_", text.casefold()).strip("_")
