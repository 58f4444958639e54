"""RecordBatch -> Admitted: good records as part lines with key hashes and offsets, bad ones as rejections.

What makes a record good is decided by formats.dynamodb_json; this module
takes the fast way where there is one and keeps the books.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest_project.core.model import Admitted, KeySchema, RecordBatch, Rejection
from ingest_project.formats.dynamodb_json import encode_record, key_of, unwrap
from ingest_project.formats.fast_lines import LineTemplates
from ingest_project.formats.json_tree import Refused, parse
from ingest_project.formats.keys import key_hash, key_text
from ingest_project.formats.shelf import Swept, laid
from ingest_project.formats.typed_values import is_typed

_SPACE = b" \t\r\n"
_EMPTY = b'""'
"""In every record with an empty string."""


class ItemAdmission:
    """core.ports.Admission for records that become DynamoDB items; one for each chunk, not shared by threads.

    Args:
        keys: Key of the target.
        drop_empty_strings: See ``encode_record``.
    """

    def __init__(self, keys: KeySchema, *, drop_empty_strings: bool = False) -> None:
        self._keys = keys
        self._drop = drop_empty_strings
        self._templates = LineTemplates(keys)

    def __call__(self, batch: RecordBatch) -> Admitted:
        whole = None if self._dropping(batch.text) else self._templates.whole(batch.raws, batch.text)
        if whole is not None:
            lines, hashes = whole
            return Admitted(lines=lines, hashes=hashes, offsets=batch.offsets)
        known = self._known(batch)
        lines, hashes = known.columns
        if not known.missed:
            return Admitted(lines=lines, hashes=hashes, offsets=batch.offsets)
        rejections = self._rest(batch, known)
        if not rejections:
            return Admitted(lines=lines, hashes=hashes, offsets=batch.offsets)
        bad = {letter.ordinal - batch.first for letter in rejections}
        good = [at for at in range(len(lines)) if at not in bad]
        return Admitted(
            lines=[lines[at] for at in good],
            hashes=[hashes[at] for at in good],
            offsets=[batch.offsets[at] for at in good],
            rejections=rejections,
        )

    def _known(self, batch: RecordBatch) -> Swept:
        """What the templates know; they cannot drop what is empty."""
        raws = batch.raws
        if not self._drop or (batch.text and not self._dropping(batch.text)):
            return self._templates.encode(raws, batch.text)
        return self._templates.encode(self._shown(map(bytes, raws)))

    def _dropping(self, text: bytes) -> bool:
        """Whether something may have to be dropped out of a record in the text."""
        return self._drop and _EMPTY in text

    def _shown(self, raws: Iterable[bytes]) -> list[bytes]:
        """The records as templates may see them: not those out of which something is dropped."""
        return [b"" if self._dropping(raw) else raw for raw in raws]

    def _rest(self, batch: RecordBatch, known: Swept) -> list[Rejection]:
        """Takes the others the exact way, and learns from them; fills in their lines and hashes."""
        (lines, hashes), missed = known
        rejections: list[Rejection] = []
        while missed:
            at, missed = missed[0], missed[1:]
            raw = bytes(batch.raws[at])
            try:
                lines[at], hashes[at] = self._exact(raw)
            except Refused as refused:
                rejections.append(self._rejection(batch.first + at, batch.offsets[at], refused, raw))
                continue
            others = [bytes(batch.raws[place]) for place in missed]
            if self._learned([raw, *others]):
                missed = laid(self._templates.encode(self._shown(others)), missed, known.columns)
        return rejections

    def _exact(self, raw: bytes) -> tuple[bytes, bytes]:
        line = encode_record(raw.strip(_SPACE), self._keys, drop_empty_strings=self._drop)
        return line.text, key_hash(line.key)

    def _learned(self, raws: Sequence[bytes]) -> bool:
        return not self._dropping(raws[0]) and self._templates.learn(raws)

    def _rejection(self, ordinal: int, offset: int, refused: Refused, raw: bytes) -> Rejection:
        return Rejection(
            ordinal=ordinal, offset=offset, reason=str(refused), raw=raw, key=readable_key(raw, self._keys)
        )


def readable_key(raw: bytes, keys: KeySchema) -> str:
    """The key's text of a record that may be bad in another place; empty when it has none."""
    try:
        record = unwrap(parse(raw), keys)
        return key_text(key_of(record, keys, is_typed(record)))
    except Refused:
        return ""
