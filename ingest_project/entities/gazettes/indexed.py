"""Stage ``indexed``: the texts of gazettes into their index, whole or one document a town's part."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingest_project.core.document_ledger import Segments
from ingest_project.core.documents import (
    COUNTED,
    INDEXING,
    Delayed,
    Document,
    Done,
    Outcome,
    Parked,
    fingerprint_of,
)
from ingest_project.core.errors import BadInput, TargetMissing
from ingest_project.core.posting import NotTaken
from ingest_project.entities.gazettes.indices import DOCUMENT, FIELDS, REVISION, TEXT, TEXT_URI
from ingest_project.sinks.live_index import LiveIndex, groups, put_body

INDEXED, TEXTS, SEGMENTS = "indexed", "texts", "segments"
DOCUMENTS = COUNTED
"""Fact of a mark: how many documents stand in the index for this one."""

GROUP_BYTES = 8 << 20
"""Of the texts that one call holds at a time, beside one that is larger."""

_FORM = "1"
"""Of the documents that are sent; another one has all of them sent anew."""

_BYTES_A_BYTE = 4
"""What a byte of text takes on its way: stored and plain, as text, as a document."""


class TextReader(Protocol):
    """Texts by where they lie; sinks.texts.TextStore."""

    def read(self, where: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What becomes one document of the index.

    Attributes:
        place: Of its gazette among those of the call.
        fields: Of FIELDS; those without a value are left out.
        size: Bytes of its text, about.
        whole: Checksum of the file that it is a part of; empty: it is all of it.
    """

    place: int
    fields: Mapping[str, str]
    uri: str
    size: int
    whole: str = ""

    @property
    def id(self) -> str:
        """``_id`` in the index. What two editions of a day say of a town may be the same."""
        words = [self.fields.get(name, "") for name in ("territory_id", "date", "file_checksum")]
        return "_".join([*words, self.whole] if self.whole else words)


@dataclass(slots=True)
class Indexed:
    """core.documents.Stage.

    Attributes:
        batch: Gazettes of one call, and documents of one request.
    """

    index: LiveIndex
    texts: TextReader
    segments: Segments
    collection: str
    batch: int = 100
    name: str = field(default=INDEXED, init=False)
    after: tuple[str, ...] = field(default=(TEXTS, SEGMENTS), init=False)
    state: str = field(default=INDEXING, init=False)

    def fingerprint(self, document: Document) -> str:
        told = json.dumps({name: document.fields.get(name, "") for name in FIELDS})
        outputs = (document.marks[stage].output for stage in self.after)
        return fingerprint_of(_FORM, self.index.alias, document.id, *outputs, told)

    def weight(self, document: Document) -> int:
        return min(_text_bytes(document), GROUP_BYTES) * _BYTES_A_BYTE

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        return await self.fill(documents, self.index)

    async def fill(self, documents: Sequence[Document], index: LiveIndex) -> list[Outcome]:
        """``run`` into any index of gazettes."""
        ids = [document.id for document in documents]
        known = await asyncio.to_thread(self.segments.find, self.collection, ids)
        pieces: list[Piece] = []
        for place, document in enumerate(documents):
            parts = known[document.id].segments if document.id in known else ()
            pieces += _pieces(place, document, [(part.id, part.fields) for part in parts])
        revisions = [self.fingerprint(document) for document in documents]
        failed: dict[int, Outcome] = {}
        for group in groups([one.size for one in pieces], count=self.batch, size=GROUP_BYTES):
            chosen = [pieces[number] for number in group if pieces[number].place not in failed]
            failed |= await self._send(index, documents, revisions, chosen)
        kept = {ids[place]: revisions[place] for place in range(len(ids)) if place not in failed}
        await index.sweep(kept)
        gone = {id: one.gone for id, one in known.items() if one.gone and id in kept}
        if gone and index is self.index:
            await asyncio.to_thread(self.segments.forget, self.collection, gone)
        counts = [0] * len(ids)
        for place in {one.id: one.place for one in pieces}.values():
            counts[place] += 1
        return [
            failed.get(place) or Done(output=revisions[place], facts={DOCUMENTS: str(counts[place])})
            for place in range(len(ids))
        ]

    async def _send(
        self,
        index: LiveIndex,
        documents: Sequence[Document],
        revisions: Sequence[str],
        pieces: Sequence[Piece],
    ) -> dict[int, Outcome]:
        """Read and write one group; what became of gazettes that are not through, by their place."""

        async def body(piece: Piece) -> bytes | Outcome:
            try:
                text = await asyncio.to_thread(self.texts.read, piece.uri)
            except TargetMissing as error:
                return Delayed(reason=f"{error}: it has to be made again")
            except BadInput as error:
                return Parked(cause="damaged text", detail=str(error))
            ours = {DOCUMENT: documents[piece.place].id, REVISION: revisions[piece.place], TEXT: text}
            return put_body(piece.id, ours | dict(piece.fields))

        made = await asyncio.gather(*map(body, pieces))
        failed = {
            piece.place: one for piece, one in zip(pieces, made, strict=True) if not isinstance(one, bytes)
        }
        sent = [(piece, one) for piece, one in zip(pieces, made, strict=True) if isinstance(one, bytes)]
        try:
            refused = await index.post([one for _, one in sent])
        except NotTaken as error:
            return {piece.place: Delayed(reason=str(error)) for piece, _ in sent} | failed
        for number, reason in refused.items():
            piece = sent[number][0]
            failed[piece.place] = Parked(cause="refused by the index", detail=f"{piece.id}: {reason}")
        return failed


def _pieces(place: int, document: Document, parts: Sequence[tuple[str, Mapping[str, str]]]) -> list[Piece]:
    """The gazette whole, or its parts, which have its fields but for their own."""
    own = {name: document.fields.get(name, "") for name in FIELDS}
    if not parts:
        return [_piece(place, own, document.marks[TEXTS].facts["uri"], _text_bytes(document))]
    size = _text_bytes(document) // len(parts)
    return [
        _piece(
            place,
            own | {name: value for name, value in told.items() if name in own} | {"file_checksum": checksum},
            told["uri"],
            int(told.get("bytes") or size),
            own["file_checksum"],
        )
        for checksum, told in parts
    ]


def _piece(place: int, fields: Mapping[str, str], uri: str, size: int, whole: str = "") -> Piece:
    told = {name: value for name, value in fields.items() if value} | {TEXT_URI: uri}
    return Piece(place=place, fields=told, uri=uri, size=size, whole=whole)


def _text_bytes(document: Document) -> int:
    return int(document.marks[TEXTS].facts.get("bytes") or 0)
