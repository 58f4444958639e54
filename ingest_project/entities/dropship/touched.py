"""Which ids a date's files touch: out of the published parts, a stream for each hash slot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter

import msgspec

from ingest_project.core.errors import TargetMissing
from ingest_project.core.model import Chunk, ItemBlock, Position, Rejection
from ingest_project.core.ports import PartStore
from ingest_project.core.ranking import Ranked
from ingest_project.formats.keys import string_key_hash
from ingest_project.sinks.spills import Spills

SLOTS = 32
"""Equal spans of the hashes of ids. An id belongs to one slot, whatever date or file it stands in."""

ORDER_ID = "kode_pesanan"

BLOCK = 500


class _Text(msgspec.Struct):
    S: str


@cache
def _reader(name: str) -> Callable[[bytes], str | None]:
    """Reads one text attribute of a part line; None where the line has none."""
    item = msgspec.defstruct("Item", [(name, _Text | None, None)])
    decode = msgspec.json.Decoder(msgspec.defstruct("Part", [("Item", item)])).decode
    held = attrgetter(f"Item.{name}")

    def read(line: bytes) -> str | None:
        text = held(decode(line))
        return text.S if isinstance(text, _Text) else None

    return read


def rank_of(code: bytes) -> int:
    """Place of an id among all ids: the first half of its key's hash."""
    return int.from_bytes(string_key_hash(code)[:8], "big")


def published(parts: PartStore, chunks: Sequence[Chunk]) -> list[Chunk]:
    """Chunks of which something was validated."""
    found = []
    for chunk in chunks:
        try:
            parts.parts(chunk)
        except TargetMissing:
            continue
        found.append(chunk)
    return found


def ids_of(parts: PartStore, chunks: Iterable[Chunk], name: str = ORDER_ID) -> Iterator[Ranked]:
    """Texts of one attribute of the chunks' lines with their ranks; once for each block in which they
    stand."""
    read = _reader(name)
    for chunk in chunks:
        for info in parts.parts(chunk):
            for lines in parts.lines(chunk, info):
                found = dict.fromkeys(map(read, lines))
                codes = [code.encode() for code in found if code]
                yield [rank_of(code) for code in codes], codes


@dataclass(frozen=True, slots=True, kw_only=True)
class IdStream:
    """core.ports.ItemStream over one slot's ids, each once, in order of their ranks."""

    spills: Spills
    slot: int

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        first, held = 0, list[bytes]()
        for code in self._ids():
            held.append(code)
            if len(held) == BLOCK:
                yield from self._block(first, held, after.ordinal)
                first, held = first + len(held), []
        yield from self._block(first, held, after.ordinal)

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        return Rejection(ordinal=ordinal, offset=-1, reason=reason, raw=body, key=body.decode())

    def _block(self, first: int, codes: list[bytes], start: int) -> Iterator[ItemBlock]:
        if codes and first + len(codes) > start:
            skip = max(0, start - first)
            yield ItemBlock(first=first + skip, entries=codes[skip:], plain=True)

    def _ids(self) -> Iterator[bytes]:
        """Equal ids lie together but for those of one rank, which are held until the next rank."""
        last, seen = -1, set[bytes]()
        for codes in self.spills.lines(self.slot):
            for code in codes:
                rank = rank_of(code)
                if rank != last:
                    last, seen = rank, set()
                if code not in seen:
                    seen.add(code)
                    yield code
