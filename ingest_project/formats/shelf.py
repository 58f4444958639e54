"""A shelf of templates that are learned from the texts that go by. Knows shapes and keys, not what is made.

Templates are tried on many texts at once; what none of them knows goes the exact way. Nothing is refused
here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import accumulate
from typing import NamedTuple, Protocol

from ingest_project.core.model import KeySchema
from ingest_project.formats.compiling import Compiler, joined
from ingest_project.formats.forms import PLAIN, SPACED, TYPED, Form
from ingest_project.formats.record_shape import Member, Shape, Unshaped, merge
from ingest_project.formats.template import Piece, Template, slots

MAX_TEMPLATES = 6
MAX_LESSONS = 200
"""Times that something is learned: 1 ms each."""

SAMPLES, SAMPLE_BYTES = 16, 32 * 1024
"""Texts looked at each time, and bytes of them: 0.05 ms a KB. Long ones tell as much in fewer."""

MAX_TRIALS = 30
"""Templates compiled: some milliseconds each."""

ITEM = (b'{"Item":{', b"}}")
OBJECT = (b"{", b"}")


class Mode(NamedTuple):
    """How records are spelled: the form of their values and the brackets around them."""

    form: Form
    brackets: tuple[bytes, bytes]
    typed: bool


PLAIN_MODES = (Mode(PLAIN, OBJECT, False), Mode(SPACED, OBJECT, False))
LINE_MODE = Mode(TYPED, ITEM, True)
TYPED_MODES = (LINE_MODE, Mode(TYPED, OBJECT, True))


class Swept(NamedTuple):
    """What came of some texts.

    Attributes:
        columns: The results, a list of one for each text; where there is none, it is empty.
        missed: Indices of the texts that were not known, ascending.
    """

    columns: tuple[list[bytes], ...]
    missed: list[int]


class Teachable(Protocol):
    """A template as the shelf needs it."""

    shape: Shape
    mode: Mode

    def encode(self, texts: Sequence[bytes], pure: bool) -> Swept:
        """Results of texts whose strings are legal; ``pure`` says that they have no backslashes."""
        ...


class Found(NamedTuple):
    """Matches of some texts, and the indices of texts that do not match."""

    matches: list[re.Match[bytes]]
    missed: list[int]


class KeyedTemplate:
    """The template of one shape in one mode, and where the key stands in it.

    For texts with and without backslashes it is compiled apart, when it is needed.

    Args:
        target: Form and brackets of the results; None when texts are only checked.

    Raises:
        Unshaped: The shape has no template; or the key is not always there, or not always of the right kind.

    Attributes:
        places: For each part of the key the index of the group that holds its literal.
    """

    def __init__(
        self, shape: Shape, mode: Mode, keys: KeySchema, target: tuple[Form, tuple[bytes, bytes]] | None
    ) -> None:
        self._members, self._mode, self._target = shape.members or (), mode, target
        self._key = [place_of(self._members, name, kind) for name, kind in keys.parts]
        self._templates: list[Template | None] = [None, None]
        pieces = self._pieces(True)
        self.places = [_groups_before(pieces, at) for at in self._key]

    def template(self, pure: bool) -> Template:
        """``pure``: for texts without backslashes."""
        made = self._templates[pure]
        if made is None:
            brackets = self._target[1] if self._target else OBJECT
            made = Template(joined(self._pieces(pure), self._mode.brackets, brackets))
            self._templates[pure] = made
        return made

    def find(self, texts: Sequence[bytes], pure: bool) -> Found:
        found = list(map(self.template(pure).match, texts))
        matches = list(filter(None, found))
        if len(matches) == len(found):
            return Found(matches, [])
        return Found(matches, [at for at, match in enumerate(found) if match is None])

    def _pieces(self, pure: bool) -> list[Piece]:
        compiler = Compiler(self._mode.form, self._target[0] if self._target else TYPED, pure=pure)
        pieces = compiler.members(self._members)
        if self._target is not None:
            return pieces
        checks = compiler.unsplit(self._members)
        return [piece if at in self._key else checks[at] for at, piece in enumerate(pieces)]


class Shelf:
    """Templates of one source of texts, the most useful one first; at most ``MAX_TEMPLATES``.

    Args:
        make: Shape and mode -> template; may raise Unshaped.
        width: Results of a text.
    """

    def __init__(self, make: Callable[[Shape, Mode], Teachable], width: int) -> None:
        self._make, self._width = make, width
        self._templates: list[Teachable] = []
        self._lessons, self._trials = MAX_LESSONS, MAX_TRIALS

    def sweep(self, texts: Sequence[bytes], pure: bool) -> Swept:
        """What the templates say, each to what those before it did not know; see Teachable."""
        total: Swept | None = None
        left: Sequence[int] = range(len(texts))
        for at, template in enumerate(self._templates):
            found = template.encode(texts if total is None else [texts[index] for index in left], pure)
            if at and 2 * (len(left) - len(found.missed)) > len(texts):
                self._templates.insert(0, self._templates.pop(at))
            if total is None and not found.missed:
                return found
            total = total or self._nothing(len(texts))
            left = laid(found, left, total.columns)
            if not left:
                break
        total = total or self._nothing(len(texts))
        return total._replace(missed=list(left))

    def _nothing(self, count: int) -> Swept:
        return Swept(tuple([b""] * count for _ in range(self._width)), [])

    @property
    def first(self) -> Teachable | None:
        """The template that is tried first."""
        return self._templates[0] if self._templates else None

    @property
    def learning(self) -> bool:
        """Whether it is worth while to show a text that no template knew."""
        return self._lessons > 0 and self._trials > 0

    def learn(self, text: bytes, shapes: Sequence[Shape], modes: Sequence[Mode]) -> bool:
        """Widen a template, or make one, so that the next texts like these are known.

        Args:
            shapes: The text's, and those of other texts, likely to be of one origin.
            modes: How the text may be spelled, the likeliest first.

        Returns:
            Whether there is another template than before.
        """
        self._lessons -= 1
        shape = reduce(_covering, shapes)
        return self._teach(text, shape, modes) or (shape != shapes[0] and self._teach(text, shapes[0], modes))

    def _teach(self, text: bytes, shape: Shape, modes: Sequence[Mode]) -> bool:
        for at, known in enumerate(self._templates):
            widened = self._widened(known, shape) if known.mode in modes else None
            if widened is not None and self._knows(widened, text):
                self._templates[at] = widened
                return True
        for mode in modes:
            if len(self._templates) < MAX_TEMPLATES:
                template = self._made(shape, mode)
                if template is not None and self._knows(template, text):
                    self._templates.append(template)
                    return True
        return False

    def _widened(self, known: Teachable, shape: Shape) -> Teachable | None:
        try:
            merged = merge(known.shape, shape)
        except Unshaped:
            return None
        return None if merged == known.shape else self._made(merged, known.mode)

    def _made(self, shape: Shape, mode: Mode) -> Teachable | None:
        self._trials -= 1
        try:
            return self._make(shape, mode)
        except Unshaped:
            return None

    def _knows(self, template: Teachable, text: bytes) -> bool:
        return not template.encode([text], b"\\" not in text).missed


def samples(texts: Sequence[bytes]) -> Sequence[bytes]:
    """The first ones, as many as are looked at together; at least one."""
    sizes = accumulate(map(len, texts[:SAMPLES]))
    return texts[: max(1, sum(size <= SAMPLE_BYTES for size in sizes))]


def _covering(one: Shape, other: Shape) -> Shape:
    """Both, where one shape can cover them; else the first."""
    try:
        return merge(one, other)
    except Unshaped:
        return one


def laid(found: Swept, places: Sequence[int], columns: Sequence[list[bytes]]) -> list[int]:
    """Puts what was found for the texts at ``places`` where it belongs; the places of those missed."""
    missed = set(found.missed)
    for at, place in enumerate(places):
        if at not in missed:
            for column, results in zip(columns, found.columns, strict=True):
                column[place] = results[at]
    return [places[at] for at in found.missed]


def spread(columns: Sequence[list[bytes]], missed: Sequence[int]) -> None:
    """Inserts an empty entry at each of the places ``missed``, ascending."""
    for column in columns:
        for place in missed:
            column.insert(place, b"")


def place_of(members: Sequence[Member], name: str, kind: str) -> int:
    """Where a part of the key stands. Raises Unshaped."""
    wanted = Member(name, Shape(scalars=frozenset({kind})))
    if wanted not in members:
        raise Unshaped(f"the key {name} is not always there, or not always {kind}")
    return members.index(wanted)


def _groups_before(pieces: Sequence[Piece], at: int) -> int:
    return sum(1 for piece in pieces[:at] for _ in slots(piece.nodes))
