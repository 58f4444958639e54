"""A shelf of templates that are learned from the texts that go by. Knows shapes and keys, not what is made.

A template answers or is silent; silence sends the text the exact way. Nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from ingest_project.core.model import KeySchema
from ingest_project.formats.record_shape import Member, Shape, Unshaped, merge
from ingest_project.formats.template import PLAIN, SPACED, TYPED, Compiler, Form, Piece, Template, joined

MAX_TEMPLATES = 6
MAX_LESSONS = 200
"""Texts looked at for learning: 0.1 ms each."""

MAX_TRIALS = 30
"""Templates compiled: some milliseconds each."""

ITEM = (b'{"Item":{', b"}}")
OBJECT = (b"{", b"}")

Result_co = TypeVar("Result_co", covariant=True)


class Mode(NamedTuple):
    """How records are spelled: the form of their values and the brackets around them."""

    form: Form
    brackets: tuple[bytes, bytes]
    typed: bool


PLAIN_MODES = (Mode(PLAIN, OBJECT, False), Mode(SPACED, OBJECT, False))
LINE_MODE = Mode(TYPED, ITEM, True)
TYPED_MODES = (LINE_MODE, Mode(TYPED, OBJECT, True))


class Found(NamedTuple):
    """A match: the template, the variable parts, and the key's literals among them."""

    template: Template
    groups: tuple[bytes, ...]
    key: list[bytes]


class KeyedTemplate:
    """Templates of one shape in one mode, for texts with and without escapes; compiled when needed.

    Args:
        target: Form and brackets of the results; None when texts are only checked.

    Raises:
        Unshaped: The key is not always there, or not always of the right kind.
    """

    def __init__(
        self, shape: Shape, mode: Mode, keys: KeySchema, target: tuple[Form, tuple[bytes, bytes]] | None
    ) -> None:
        self.shape, self.mode = shape, mode
        self._target = target
        self._members = shape.members or ()
        self._key = [_place(self._members, name, kind) for name, kind in keys.parts]
        self._compiled: list[tuple[Template, list[int]] | None] = [None, None]

    def match(self, text: bytes, pure: bool) -> Found | None:
        """What the text holds; ``pure`` says that it has no backslashes and no control characters.

        Raises:
            Unshaped: At the first call: the shape has no template.
        """
        template, places = self._compiled[pure] or self._compile(pure)
        groups = template.groups(text)
        return None if groups is None else Found(template, groups, [groups[at] for at in places])

    def _compile(self, pure: bool) -> tuple[Template, list[int]]:
        target, brackets = self._target or (TYPED, OBJECT)
        compiler = Compiler(self.mode.form, target, pure=pure)
        pieces = compiler.members(self._members)
        if self._target is None:
            checks = compiler.unsplit(self._members)
            pieces = [piece if at in self._key else checks[at] for at, piece in enumerate(pieces)]
        places = [_groups_before(pieces, at) for at in self._key]
        compiled = Template(joined(pieces, self.mode.brackets, brackets)), places
        self._compiled[pure] = compiled
        return compiled


class Teachable(Protocol[Result_co]):
    """A template as the shelf needs it."""

    shape: Shape
    mode: Mode

    def encode(self, text: bytes, pure: bool) -> Result_co | None: ...


Result = TypeVar("Result")


class Shelf(Generic[Result]):
    """Templates of one source of texts, the last useful one first; at most ``MAX_TEMPLATES``.

    Args:
        make: Shape and mode -> template; may raise Unshaped.
    """

    def __init__(self, make: Callable[[Shape, Mode], Teachable[Result]]) -> None:
        self._make = make
        self._templates: list[Teachable[Result]] = []
        self._lessons, self._trials = MAX_LESSONS, MAX_TRIALS

    def find(self, text: bytes, pure: bool) -> Result | None:
        """What the first template says that knows the text, or None."""
        for at, template in enumerate(self._templates):
            found = template.encode(text, pure)
            if found is not None:
                if at:
                    self._templates.insert(0, self._templates.pop(at))
                return found
        return None

    @property
    def learning(self) -> bool:
        """Whether it is worth while to show a text that no template knew."""
        return self._lessons > 0 and self._trials > 0

    def learn(self, text: bytes, pure: bool, shape: Shape, modes: Sequence[Mode]) -> None:
        """Widen a template, or make one, so that the next text like this one is known.

        Args:
            shape: The text's shape.
            modes: How it may be spelled, the likeliest first.
        """
        self._lessons -= 1
        for at, known in enumerate(self._templates):
            widened = self._widened(known, shape) if known.mode in modes else None
            if widened is not None and self._knows(widened, text, pure):
                self._templates[at] = widened
                return
        for mode in modes:
            if len(self._templates) < MAX_TEMPLATES:
                template = self._made(shape, mode)
                if template is not None and self._knows(template, text, pure):
                    self._templates.append(template)
                    return

    def _widened(self, known: Teachable[Result], shape: Shape) -> Teachable[Result] | None:
        try:
            merged = merge(known.shape, shape)
        except Unshaped:
            return None
        return None if merged == known.shape else self._made(merged, known.mode)

    def _made(self, shape: Shape, mode: Mode) -> Teachable[Result] | None:
        try:
            return self._make(shape, mode)
        except Unshaped:
            return None

    def _knows(self, template: Teachable[Result], text: bytes, pure: bool) -> bool:
        self._trials -= 1
        try:
            return template.encode(text, pure) is not None
        except Unshaped:
            return False


def _place(members: Sequence[Member], name: str, kind: str) -> int:
    wanted = Member(name, Shape(scalars=frozenset({kind})))
    if wanted not in members:
        raise Unshaped(f"the key {name} is not always there, or not always {kind}")
    return members.index(wanted)


def _groups_before(pieces: Sequence[Piece], at: int) -> int:
    return sum(len(piece.converters) for piece in pieces[:at])
