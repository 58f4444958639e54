"""Records -> part lines by templates that are learned on the way: the fast way to what dynamodb_json says.

A template answers or is silent; silence sends the record the exact way. Nothing is refused here.
"""

from __future__ import annotations

from typing import NamedTuple

from ingest_project.core.model import KeySchema
from ingest_project.formats.dynamodb_json import SURELY_SMALL, unwrap
from ingest_project.formats.json_tree import decode_text, parse
from ingest_project.formats.keys import (
    PARTITION_KEY_BYTES,
    SORT_KEY_BYTES,
    KeyPart,
    key_hash,
    number_part,
    string_key_hash,
)
from ingest_project.formats.record_shape import Member, Shape, Unshaped, merge, record_shape
from ingest_project.formats.template import PLAIN, SPACED, TYPED, Compiler, Form, Piece, Template, joined
from ingest_project.formats.typed_values import binary, is_typed

MAX_TEMPLATES = 6
MAX_LESSONS = 200
"""Records looked at for learning; a compilation takes some milliseconds, looking at a record 0.1."""

MAX_COMPILED = 30

_ITEM = (b'{"Item":{', b"}}")
_LIMITS = (PARTITION_KEY_BYTES, SORT_KEY_BYTES)
_IMPURE = bytes.maketrans(bytes(range(32)) + b"\\", b"!" * 33)
"""Changes every text with a control character or a backslash in it."""


class Mode(NamedTuple):
    """How the records of a file are spelled: the form of their values and the brackets around them."""

    form: Form
    brackets: tuple[bytes, bytes]
    typed: bool


MODES = (
    Mode(PLAIN, (b"{", b"}"), False),
    Mode(SPACED, (b"{", b"}"), False),
    Mode(TYPED, _ITEM, True),
    Mode(TYPED, (b"{", b"}"), True),
)


class RecordTemplate:
    """Templates of one shape in one mode, for texts with and without escapes; compiled when needed.

    Raises:
        Unshaped: The shape has no template, or its key is not always there and of the right kind.
    """

    def __init__(self, shape: Shape, mode: Mode, keys: KeySchema) -> None:
        self.shape, self.mode, self._keys = shape, mode, keys
        self._members = shape.members or ()
        self._places = [_place(self._members, name, kind) for name, kind in keys.parts]
        self._compiled: list[tuple[Template, list[int]] | None] = [None, None]
        self._only_key = keys.parts[0][1] == "S" and len(keys.parts) == 1

    def encode(self, raw: bytes, pure: bool) -> tuple[bytes, bytes] | None:
        """The part line and key hash of a UTF-8 record, or None."""
        template, places = self._compiled[pure] or self._compile(pure)
        groups = template.groups(raw)
        if groups is None:
            return None
        digest = self._hash([groups[at] for at in places], pure)
        if digest is None:
            return None
        if not self.mode.typed:
            return template.fill(groups), digest
        return (raw if self.mode.brackets is _ITEM else b'{"Item":%b}' % raw), digest

    def _compile(self, pure: bool) -> tuple[Template, list[int]]:
        compiler = Compiler(self.mode.form, TYPED, pure=pure)
        if self.mode.typed:
            checks, values = compiler.unsplit(self._members), compiler.members(self._members)
            pieces = [values[at] if at in self._places else piece for at, piece in enumerate(checks)]
        else:
            pieces = compiler.members(self._members)
        places = [_groups_before(pieces, at) for at in self._places]
        compiled = Template(joined(pieces, self.mode.brackets, _ITEM)), places
        self._compiled[pure] = compiled
        return compiled

    def _hash(self, literals: list[bytes], pure: bool) -> bytes | None:
        if self._only_key and pure:
            value = literals[0][1:-1]
            return string_key_hash(value) if 0 < len(value) <= PARTITION_KEY_BYTES else None
        parts = []
        for literal, (_, kind), limit in zip(literals, self._keys.parts, _LIMITS, strict=False):
            part = _key_part(literal, kind)
            if not 0 < len(part.value) <= limit:
                return None
            parts.append(part)
        return key_hash(parts)


class LineTemplates:
    """The templates of one chunk, the most useful first. Memory: at most ``MAX_TEMPLATES`` of them."""

    def __init__(self, keys: KeySchema) -> None:
        self._keys = keys
        self._templates: list[RecordTemplate] = []
        self._lessons = MAX_LESSONS
        self._compiled = 0

    def encode(self, raw: bytes) -> tuple[bytes, bytes] | None:
        """The part line and the key hash of a record, or None when no template knows it."""
        if not self._templates or len(raw) > SURELY_SMALL:
            return None
        if not raw.isascii():
            try:
                raw.decode()
            except UnicodeDecodeError:
                return None
        pure = raw.translate(_IMPURE) == raw
        for at, template in enumerate(self._templates):
            found = template.encode(raw, pure)
            if found is not None:
                if at:
                    self._templates.insert(0, self._templates.pop(at))
                return found
        return None

    def learn(self, raw: bytes) -> None:
        """Looks at a record that no template knew and that the exact way let through."""
        if self._lessons <= 0 or self._compiled >= MAX_COMPILED or len(raw) > SURELY_SMALL:
            return
        self._lessons -= 1
        try:
            record = unwrap(parse(raw), self._keys)
            typed = is_typed(record)
            self._add(raw, record_shape(record, typed), typed)
        except Unshaped:
            return

    def _add(self, raw: bytes, shape: Shape, typed: bool) -> None:
        for at, known in enumerate(self._templates):
            if known.mode.typed != typed:
                continue
            try:
                merged = merge(known.shape, shape)
                if merged == known.shape:
                    continue
                template = RecordTemplate(merged, known.mode, self._keys)
            except Unshaped:
                continue
            if self._matches(template, raw):
                self._templates[at] = template
                return
        if len(self._templates) < MAX_TEMPLATES:
            templates = (RecordTemplate(shape, mode, self._keys) for mode in MODES if mode.typed == typed)
            self._templates += [one for one in templates if self._matches(one, raw)][:1]

    def _matches(self, template: RecordTemplate, raw: bytes) -> bool:
        self._compiled += 1
        return template.encode(raw, raw.translate(_IMPURE) == raw) is not None


def _place(members: tuple[Member, ...], name: str, kind: str) -> int:
    wanted = Member(name, Shape(scalars=frozenset({kind})))
    if wanted not in members:
        raise Unshaped(f"the key {name} is not always there, or not always {kind}")
    return members.index(wanted)


def _groups_before(pieces: list[Piece], at: int) -> int:
    return sum(len(piece.converters) for piece in pieces[:at])


def _key_part(literal: bytes, kind: str) -> KeyPart:
    if kind == "N":
        return number_part(literal)
    return KeyPart(kind, binary(literal) if kind == "B" else decode_text(literal).encode())
