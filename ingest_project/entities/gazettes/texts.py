"""Stage ``texts``: the text of each gazette's file, by the extractor of its kind, stored beside its key.

A text is made once for each content and extractor; other gazettes with the same file get a copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from ingest_project.core.document_ledger import Extraction, Extractions
from ingest_project.core.documents import (
    EXTRACTING,
    Delayed,
    Document,
    Done,
    Mark,
    Outcome,
    Parked,
    fingerprint_of,
)
from ingest_project.core.errors import BadInput, ConfigurationError, TargetMissing, TransientFailure
from ingest_project.core.extracting import (
    LOCKED,
    NO_TEXT,
    PASSWORD,
    TXT,
    Handlers,
    Unreadable,
    handled_by,
)
from ingest_project.entities.gazettes import downloaded
from ingest_project.resources.documents.transfers import Transfers, together
from ingest_project.sinks.objects import Objects, pieces
from ingest_project.sinks.texts import StoredText, TextStore
from ingest_project.sources.scratch import scratch_folder

NAME = "texts"

UNSUPPORTED, BOMB = "unsupported type", "expands too far"
"""Causes for which this stage parks, beside core.extracting's and downloaded's."""

MOST_EXPANDED = 1 << 30
PIECE = 8 << 20
_HELD = 32 << 20
_REVISION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """Files that are the same, and what there is to know of them."""

    sha256: str
    kind: str
    bytes: int
    expanded: int


class Texts:
    """A Stage. A mark's output is the text's SHA-256; its facts are ``uri`` (TextStore.read takes it),
    ``bytes``, ``type`` and ``extractor``.

    Args:
        files: As of ``downloaded``.
        store: Where texts go; another place than that of the files, whose keys may end in ``.txt`` too.
        handlers: Who extracts which kind. A kind that gets another one, or its first, is done once more;
            others are not touched.
        extractions: What was extracted before.
        batch: Documents of a call, all under way at once.
        scratch: Folder for files that are being read; the system's by default. It holds what is under way.
        expanded: Bytes that an archive (DOCX, ODT) may say it grows to.
    """

    name = NAME
    after = (downloaded.NAME,)
    state = EXTRACTING

    def __init__(
        self,
        files: Objects,
        store: TextStore,
        handlers: Handlers,
        extractions: Extractions,
        transfers: Transfers,
        *,
        batch: int = 10,
        scratch: Path | None = None,
        expanded: int = MOST_EXPANDED,
    ) -> None:
        if files.name == store.name:
            raise ConfigurationError(f"{store.name}: texts would overwrite the files that they are made of")
        self._files, self._store, self._handlers = files, store, handlers
        self._extractions, self._transfers = extractions, transfers
        self._scratch, self._expanded = scratch, expanded
        self.batch = batch

    def fingerprint(self, document: Document) -> str:
        """Of the content, of the extractor for its kind alone, and of where the text goes."""
        mark = document.marks[downloaded.NAME]
        extractor = handled_by(self._handlers, mark.facts["type"])
        place = self._store.uri(key_of(document))
        return fingerprint_of(NAME, _REVISION, mark.output, extractor, place, str(self._expanded))

    def weight(self, document: Document) -> int:
        """What may be held of it here: a text as it is decoded, else what its text takes, which is less than
        its file but for small ones."""
        facts = document.marks[downloaded.NAME].facts
        size = int(facts["bytes"])
        return PIECE + (4 * size if facts["type"] == TXT else min(size, _HELD))

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        """One outcome a document."""
        groups: dict[_Content, list[Document]] = {}
        for document in documents:
            groups.setdefault(_content(document.marks[downloaded.NAME]), []).append(document)
        known = await self._known(groups)
        with scratch_folder("gazettes", self._scratch) as folder:
            done = await together(
                self._group(content, same, known.get(content), folder) for content, same in groups.items()
            )
        fresh = [extraction for extraction, _ in done if extraction is not None]
        if fresh:
            await self._transfers.make(partial(self._extractions.keep, fresh))
        outcomes: dict[str, Outcome] = {}
        for _, some in done:
            outcomes |= some
        return [outcomes[document.id] for document in documents]

    async def _known(self, contents: Mapping[_Content, object]) -> Mapping[_Content, Extraction]:
        asked: dict[str, list[_Content]] = {}
        for content in contents:
            if content.kind in self._handlers:
                asked.setdefault(handled_by(self._handlers, content.kind), []).append(content)
        known: dict[_Content, Extraction] = {}
        for extractor, some in asked.items():
            hashes = [content.sha256 for content in some]
            found = await self._transfers.make(partial(self._extractions.find, extractor, hashes))
            known |= {content: found[content.sha256] for content in some if content.sha256 in found}
        return known

    async def _group(
        self, content: _Content, documents: Sequence[Document], known: Extraction | None, folder: Path
    ) -> tuple[Extraction | None, Mapping[str, Outcome]]:
        """The outcome of each of these documents, whose files are the same, and the extraction if it is
        new."""
        ids = [document.id for document in documents]
        try:
            self._admit(content)
            return await self._made(content, documents, known, folder)
        except Unreadable as error:
            detail = f"{self._files.name}/{documents[0].fields['file_path']}: {error.detail}"
            return None, dict.fromkeys(ids, Parked(cause=error.cause, detail=detail, kind=content.kind))
        except TransientFailure as failure:
            return None, dict.fromkeys(ids, Delayed(reason=str(failure)))

    def _admit(self, content: _Content) -> None:
        """Raise Unreadable when no extractor gets to see it."""
        if content.kind == LOCKED:
            raise Unreadable(PASSWORD, "an office document behind a password")
        if content.kind not in self._handlers:
            raise Unreadable(UNSUPPORTED, f"no extractor for {content.kind}")
        if content.expanded > self._expanded:
            raise Unreadable(BOMB, f"grows to {content.expanded} bytes, {self._expanded} at most")

    async def _made(
        self, content: _Content, documents: Sequence[Document], known: Extraction | None, folder: Path
    ) -> tuple[Extraction | None, Mapping[str, Outcome]]:
        begun = self._transfers.clock()
        text = None if known is None else await self._transfers.make(partial(self._stored, known))
        extracted = text is None
        if text is None:
            text = await self._extracted(content, documents[0], folder)
        extractor = handled_by(self._handlers, content.kind)
        outcomes: dict[str, Outcome] = {}
        for document in documents:
            stored = await self._transfers.make(partial(self._store.write, key_of(document), text))
            now = self._transfers.clock()
            outcomes[document.id] = _done(content, extractor, stored, now - begun)
            begun = now
        fresh = Extraction(
            content=content.sha256,
            extractor=extractor,
            output=stored.sha256,
            facts={"uri": stored.uri, "bytes": str(stored.bytes)},
        )
        return fresh if extracted else None, outcomes

    def _stored(self, known: Extraction) -> str | None:
        """The text of an extraction, unless it was lost or changed since."""
        try:
            text = self._store.find(known.facts["uri"])
        except (BadInput, ConfigurationError):
            return None
        whole = text is not None and hashlib.sha256(text.encode()).hexdigest() == known.output
        return text if whole else None

    async def _extracted(self, content: _Content, document: Document, folder: Path) -> str:
        path, extractor = document.fields["file_path"], self._handlers[content.kind]
        # The name tells people which document a message is about; the hash, files of one name apart.
        file = folder / f"{content.sha256[:16]}-{PurePosixPath(path).name[-80:]}"
        try:
            await self._transfers.make(partial(self._fetch, content, path, file))
            text = await extractor.text(file, content.kind)
        finally:
            file.unlink(missing_ok=True)
        if not text:
            raise Unreadable(NO_TEXT, f"{extractor.name} found none in it")
        return text

    def _fetch(self, content: _Content, key: str, file: Path) -> None:
        """The file on this machine, if it still is what ``downloaded`` saw."""
        digest = hashlib.sha256()
        try:
            with file.open("wb") as out:
                for piece in pieces(self._files, key, size=PIECE):
                    digest.update(piece)
                    out.write(piece)
        except TargetMissing as error:
            raise Unreadable(downloaded.MISSING, "gone since it was downloaded") from error
        if digest.hexdigest() != content.sha256:
            raise Unreadable(downloaded.WRONG, "another file than was downloaded: download it again")


def key_of(document: Document) -> str:
    """``{territory_id}/{date}/{sha1}.txt``: the key of the file with another end."""
    return str(PurePosixPath(document.fields["file_path"]).with_suffix(".txt"))


def _content(mark: Mark) -> _Content:
    facts = mark.facts
    return _Content(
        sha256=mark.output,
        kind=facts["type"],
        bytes=int(facts["bytes"]),
        expanded=int(facts.get("expanded", "0")),
    )


def _done(content: _Content, extractor: str, stored: StoredText, seconds: float) -> Done:
    facts = {"uri": stored.uri, "bytes": str(stored.bytes), "type": content.kind, "extractor": extractor}
    return Done(output=stored.sha256, facts=facts, seconds=seconds)
