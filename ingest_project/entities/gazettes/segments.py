"""Stage ``segments``: gazettes of associations become a text a town; all others pass through as they are."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from threading import Lock

from ingest_project.core.document_ledger import Segment, Segments
from ingest_project.core.documents import INDEXING, Document, Done, Outcome, Parked, fingerprint_of
from ingest_project.entities.gazettes.segmenting import Segmenters, segmented
from ingest_project.entities.gazettes.towns import STATE_TOWNS, Town, Towns, is_association
from ingest_project.sinks.texts import TextStore

STAGE, TEXTS = "segments", "texts"
NO_SEGMENTER, TEXT_MISSING = "no segmenter", "text missing"
SEGMENTS, TOWNS, UNKNOWN = "segments", "towns", "unknown"
"""Facts of an association's gazette: its segments, how many are towns', names that no town has."""

_VERSION = "1"
_MOST_NAMES = 10
_WEIGHT = 5
"""Times the bytes of a text: the text, its lines, the lines as they are compared, and the segments."""


class Segmenting:
    """A core.documents.Stage.

    A gazette that is not cut leaves the mark of its text. Of one that is, the ledger keeps the segments:
    texts of towns, and what belongs to none of them as the association's own.

    Args:
        store: Where texts are, and segments are put: ``{town}/{date}/{md5}.txt``.
        segments: Where the ledger keeps them.
        towns: Asked once, when the first gazette of an association is there.
    """

    name, after, state = STAGE, (TEXTS,), INDEXING

    def __init__(
        self,
        store: TextStore,
        segments: Segments,
        towns: Callable[[], Towns],
        segmenters: Segmenters,
        *,
        batch: int = 10,
    ) -> None:
        self._store, self._segments, self._ask, self._segmenters = store, segments, towns, segmenters
        self._towns: Towns | None = None
        self._asking = Lock()
        self.batch = batch

    def fingerprint(self, document: Document) -> str:
        text, territory = document.marks[TEXTS], document.fields["territory_id"]
        words = (_VERSION, text.output, text.facts["uri"])
        if not is_association(territory):
            return fingerprint_of(*words)
        segmenter = self._segmenters.get(territory)
        if segmenter is None:
            return fingerprint_of(*words, territory, document.fields["date"], "none")
        # As the listing found them: to know that nothing is to be done, the database is not asked.
        towns = document.fields.get(STATE_TOWNS, "")
        return fingerprint_of(*words, territory, document.fields["date"], segmenter.version, towns)

    def weight(self, document: Document) -> int:
        if not is_association(document.fields["territory_id"]):
            return 0
        return _WEIGHT * int(document.marks[TEXTS].facts["bytes"])

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        made = await asyncio.gather(*(self._one(document) for document in documents))
        cut = {
            document.id: found
            for document, (_, found) in zip(documents, made, strict=True)
            if found is not None
        }
        if cut:
            await asyncio.to_thread(self._segments.replace, documents[0].bucket.collection, cut)
        return [outcome for outcome, _ in made]

    async def _one(self, document: Document) -> tuple[Outcome, Sequence[Segment] | None]:
        """What became of it, and its segments from now on where the ledger is to hear of them."""
        text, territory = document.marks[TEXTS], document.fields["territory_id"]
        if is_association(territory):
            return await asyncio.to_thread(self._cut, document)
        before = document.marks.get(STAGE)
        facts = {name: text.facts[name] for name in ("uri", "bytes")}
        return Done(output=text.output, facts=facts), () if before and SEGMENTS in before.facts else None

    def _cut(self, document: Document) -> tuple[Outcome, Sequence[Segment] | None]:
        territory = document.fields["territory_id"]
        segmenter = self._segmenters.get(territory)
        if segmenter is None:
            detail = (
                f"no file in segmenters/ is for {territory} ({document.fields.get('territory_name', '')})"
            )
            return Parked(cause=NO_SEGMENTER, detail=detail, kind=territory), None
        uri = document.marks[TEXTS].facts["uri"]
        text = self._store.find(uri)
        if text is None:
            return Parked(cause=TEXT_MISSING, detail=f"{uri}: run stage {TEXTS} for it again"), None
        towns = self._known_towns()
        found = segmented(text, segmenter, towns, _association(document, towns))
        segments = [self._stored(document, town, part) for town, part in found.texts]
        facts = {
            SEGMENTS: str(len(segments)),
            TOWNS: str(sum(not is_association(town.id) for town, _ in found.texts)),
        }
        if found.unknown:
            facts[UNKNOWN] = "; ".join(found.unknown[:_MOST_NAMES])
        output = fingerprint_of(
            *(word for one in segments for word in (one.fields["uri"], one.fields["sha256"]))
        )
        return Done(output=output, facts=facts), segments

    def _stored(self, document: Document, town: Town, text: str) -> Segment:
        checksum = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        key = f"{town.id}/{document.fields['date']}/{checksum}.txt"
        stored = self._store.write(key, text)
        fields = {
            "territory_id": town.id,
            "territory_name": town.name,
            "state_code": town.state_code,
            "state": town.state,
            "file_checksum": checksum,
            "text_path": key,
            "uri": stored.uri,
            "sha256": stored.sha256,
            "bytes": str(stored.bytes),
        }
        return Segment(id=checksum, fields=fields)

    def _known_towns(self) -> Towns:
        with self._asking:
            if self._towns is None:
                self._towns = self._ask()
            return self._towns


def _association(document: Document, towns: Towns) -> Town:
    """As the table of territories has it, or the gazette's own row."""
    fields = document.fields
    return towns.get(fields["territory_id"]) or Town(
        id=fields["territory_id"],
        name=fields.get("territory_name", ""),
        state_code=fields.get("state_code", ""),
        state=fields.get("state", ""),
    )
