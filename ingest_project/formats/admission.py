"""RecordBatch -> Admitted: good records as part lines with key hashes and offsets, bad ones as rejections.

What makes a record good is decided by formats.dynamodb_json; this module
takes the fast way where there is one and keeps the books.
"""

from __future__ import annotations

from ingest_project.core.model import Admitted, KeySchema, RecordBatch, Rejection
from ingest_project.formats.dynamodb_json import encode_record, key_of, unwrap
from ingest_project.formats.fast_lines import Encoded, LineTemplates
from ingest_project.formats.json_tree import Refused, parse
from ingest_project.formats.keys import key_hash, key_text
from ingest_project.formats.typed_values import is_typed

_SPACE = b" \t\r\n"


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
        lines: list[bytes] = []
        hashes: list[bytes] = []
        offsets: list[int] = []
        rejections: list[Rejection] = []
        fast = _unknown if self._drop else self._templates.encode
        for index, (record, offset) in enumerate(zip(batch.raws, batch.offsets, strict=True)):
            raw = bytes(record)
            try:
                line, digest = fast(raw) or fast(raw.strip(_SPACE)) or self._exact(raw.strip(_SPACE))
            except Refused as refused:
                rejections.append(self._rejection(batch.first + index, offset, refused, raw))
                continue
            lines.append(line)
            hashes.append(digest)
            offsets.append(offset)
        return Admitted(lines=lines, hashes=hashes, offsets=offsets, rejections=rejections)

    def _exact(self, raw: bytes) -> Encoded:
        line = encode_record(raw, self._keys, drop_empty_strings=self._drop)
        if not self._drop:
            self._templates.learn(raw)
        return line.text, key_hash(line.key)

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


def _unknown(raw: bytes) -> Encoded | None:
    """Leaves every record to the exact way, which alone can drop what is empty."""
    return None
