"""An association's gazette as parts of towns: what a segmenter must tell, and what is made of it.

Pure. How the gazettes of one association are laid out is known by its file in segmenters/ alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingest_project.entities.gazettes.towns import Town, Towns


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of text as it stands in the gazette.

    Attributes:
        names: How the town may be called, the likeliest first; none: it is the association's own text.
    """

    names: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A gazette cut into parts, in their order. ``header``: stands above each town's text."""

    header: str
    parts: Sequence[Part]


class Segmenter(Protocol):
    """Knows the gazettes of one association."""

    @property
    def association(self) -> str:
        """Territory id."""
        ...

    @property
    def state_code(self) -> str:
        """Where its towns are."""
        ...

    @property
    def version(self) -> str:
        """Changes with the rules: what was cut by others is cut again."""
        ...

    def cut(self, text: str) -> Cut:
        """Find the parts. A gazette without any is the association's own text."""
        ...


Segmenters = Mapping[str, Segmenter]
"""Association -> who cuts its gazettes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """What is told of a gazette's towns.

    Attributes:
        texts: Each town once, in the order of its first part, with all of its parts under the header.
        unknown: Names that no town of the state has; their parts are with the association's own text.
    """

    texts: Sequence[tuple[Town, str]]
    unknown: tuple[str, ...] = ()


@dataclass(slots=True)
class _Gathered:
    town: Town
    parts: list[str] = field(default_factory=list)


def segmented(text: str, segmenter: Segmenter, towns: Towns, association: Town) -> Segments:
    """Cut a gazette and join what is of one town. Every word of a part is in exactly one segment."""
    cut = segmenter.cut(text)
    gathered: dict[str, _Gathered] = {}
    unknown: dict[str, None] = {}
    for part in cut.parts:
        known = (towns.find(segmenter.state_code, name) for name in part.names)
        town = next((one for one in known if one is not None), None)
        if town is None and part.names:
            unknown[part.names[-1]] = None
        owner = town or association
        gathered.setdefault(owner.id, _Gathered(owner)).parts.append(part.text)
    texts = [
        (one.town, "\n".join([cut.header, *one.parts] if cut.header else one.parts))
        for one in gathered.values()
    ]
    return Segments(texts=texts, unknown=tuple(unknown))
