"""Stage ``downloaded``: is a gazette's file there, is it the one that its row tells of, and what is it.

Reads each file once, in pieces; keeps none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial

from ingest_project.core.documents import (
    DOWNLOADING,
    Delayed,
    Document,
    Done,
    Outcome,
    Parked,
    fingerprint_of,
)
from ingest_project.core.errors import TargetMissing, TransientFailure
from ingest_project.formats import detecting
from ingest_project.resources.documents.transfers import Transfers, together
from ingest_project.sinks.objects import Objects

NAME = "downloaded"

MISSING, EMPTY, WRONG, TOO_LARGE = "missing file", "empty file", "wrong checksum", "too large"
"""Causes for which this stage parks."""

MOST = 500 << 20
PIECE = 4 << 20
_WINDOW = 64 << 10
_CHECKSUMS = {32: "md5", 40: "sha1", 64: "sha256"}
"""Digits of a checksum -> what it is."""


class _Stored:
    """A detecting.View of an object: its first piece at hand, the rest read as it is asked for."""

    def __init__(self, files: Objects, key: str, first: bytes, version: str) -> None:
        self._files, self._key, self._first, self._version = files, key, first, version
        self.size = len(first)
        self._start, self._window = 0, b""

    def read(self, start: int, end: int) -> bytes:
        if end <= len(self._first) or self.size <= len(self._first):
            return self._first[start:end]
        if not self._start <= start <= end <= self._start + len(self._window):
            self._start = start
            asked = min(max(end, start + _WINDOW), self.size)
            self._window, _ = self._files.piece(self._key, start, asked, self._version)
        return self._window[start - self._start : end - self._start]


class Downloaded:
    """A Stage. A mark's output is the file's SHA-256; its facts are ``bytes``, ``type`` (its kind, by
    content) and of archives ``expanded``.

    Args:
        files: What ``file_path`` of a row is a key of.
        batch: Files read at once for a call; the transfers' number bounds them all.
        most: Bytes of a file.
    """

    name = NAME
    after = ()
    state = DOWNLOADING

    def __init__(
        self, files: Objects, transfers: Transfers, *, batch: int = 10, most: int = MOST, piece: int = PIECE
    ) -> None:
        self._files, self._transfers, self._most, self._piece = files, transfers, most, piece
        self.batch = batch
        self._there = False

    def fingerprint(self, document: Document) -> str:
        """Of where the file is, its checksum, and the rules by which kinds are told."""
        path, checksum = document.fields["file_path"], document.fields.get("file_checksum", "")
        return fingerprint_of(NAME, detecting.VERSION, self._files.name, path, checksum, str(self._most))

    def weight(self, document: Document) -> int:
        """What is held of a file: the piece that is read, and the first one."""
        return 2 * self._piece

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        """One outcome a document.

        Raises:
            TargetMissing: The whole store is.
        """
        return await together(map(self._one, documents))

    async def _one(self, document: Document) -> Outcome:
        begun = self._transfers.clock()
        try:
            found = await self._transfers.make(partial(self._seen, document))
        except TransientFailure as failure:
            return Delayed(reason=str(failure))
        if isinstance(found, Parked):
            return found
        return Done(output=found.output, facts=found.facts, seconds=self._transfers.clock() - begun)

    def _seen(self, document: Document) -> Done | Parked:
        key = document.fields["file_path"]
        where = f"{self._files.name}/{key}"
        try:
            return self._read(key, where, document.fields.get("file_checksum", "").strip().lower())
        except TargetMissing:
            self._look()
            return Parked(cause=MISSING, detail=f"{where}: there is no such object")

    def _look(self) -> None:
        """A store that is not there would make all of its files missing."""
        if not self._there:
            next(iter(self._files.children("")), None)
            self._there = True

    def _read(self, key: str, where: str, checksum: str) -> Done | Parked:
        name = _CHECKSUMS.get(len(checksum), "")
        content = hashlib.sha256()
        compared = hashlib.new(name, usedforsecurity=False) if name else None
        first, version = self._files.piece(key, 0, self._piece, "")
        view, piece = _Stored(self._files, key, first, version), first
        while True:
            content.update(piece)
            if compared is not None:
                compared.update(piece)
            if len(piece) < self._piece:
                break
            piece, _ = self._files.piece(key, view.size, view.size + self._piece, version)
            view.size += len(piece)
            if view.size > self._most:
                return Parked(cause=TOO_LARGE, detail=f"{where}: more than {self._most} bytes")
        found = detecting.detect(view)
        if not view.size:
            return Parked(cause=EMPTY, detail=f"{where}: 0 bytes", kind=found.kind)
        if compared is not None and compared.hexdigest() != checksum:
            told = f"{where}: its {name} is {compared.hexdigest()}, its row tells {checksum}"
            return Parked(cause=WRONG, detail=told, kind=found.kind)
        facts = {"bytes": str(view.size), "type": found.kind}
        if found.expanded:
            facts["expanded"] = str(found.expanded)
        return Done(output=content.hexdigest(), facts=facts)
