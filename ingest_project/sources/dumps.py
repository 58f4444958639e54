"""DumpSource: dump files, local or in S3, as records. One pass finds borders; ranges are read by offset.

Vendor clients come in from outside; nothing is written.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from ingest_project.core.errors import BadInput, ConfigurationError, SourceChanged
from ingest_project.core.model import Chunk, Fault, FileIndex, FileRange, Position, RecordBatch, SourceFile
from ingest_project.formats.compression import inflated, peeked
from ingest_project.formats.cutting import GROUP, RECORD_LIMIT, Cutter, Entry
from ingest_project.formats.groups import Cut, Places
from ingest_project.formats.survey import Survey, reads_alone, survey
from ingest_project.formats.window import Window
from ingest_project.sources.ahead import ahead
from ingest_project.sources.fingerprint import Fingerprint
from ingest_project.sources.local_files import LocalFiles
from ingest_project.sources.stores import BLOCK, S3Reader, Store

S3Factory = Callable[[], S3Reader]
Blocks = Generator[bytes, None, None]
FETCH_AHEAD = 32
"""Blocks of an object that wait at most, 2 MiB: the connection is emptied while a group is decoded. One
connection at a time, as several brought nothing against a store on the same machine (docs/tuning.md)."""


class Cutting(Protocol):
    """Cuts a range of a file of one format into records."""

    fault: Fault | None

    def cuts(self, entry: Entry) -> Iterator[Cut]: ...


class DumpSource:
    """Source of dump files under ``file://`` and ``s3://``.

    Memory: some ten blocks, forty of an object, or three times the largest record where that is more.

    Args:
        s3: Makes the boto3 S3 client; called once, at the first ``s3://`` address.
        block: Bytes read at once.
        group: Bytes of a batch of records.
        limit: Bytes of the largest record; a larger one is a fault of its file.
        watch: Told the size of each stored block that ``index`` takes in its first pass over a file.
    """

    def __init__(
        self,
        s3: S3Factory | None = None,
        *,
        block: int = BLOCK,
        group: int = GROUP,
        limit: int = RECORD_LIMIT,
        watch: Callable[[int], None] | None = None,
    ) -> None:
        self._stores = Stores(s3, block)
        self._watch = watch
        self._group = group
        self._limit = limit

    def index(self, file: SourceFile) -> FileIndex:
        """Read the file once: shape, marks, count, fingerprint, fault (never raises for bad content).

        Raises:
            SourceChanged: The file is gone or has another etag.
            TransientFailure: The store did not answer.
        """
        fingerprint = Fingerprint()
        with closing(fingerprint.over(self._watched(self._stored(file)))) as first:
            compression, found = self._survey(file, first)
            deque(first, maxlen=0)
        return FileIndex(
            file=file,
            shape=found.shape,
            compression=compression,
            length=found.length,
            records=found.records,
            marks=found.marks,
            end=found.end,
            fingerprint=fingerprint.text,
            metadata=found.metadata,
            fault=found.fault,
        )

    def read(self, chunk: Chunk, after: Position) -> Iterator[RecordBatch]:
        """Records of the chunk from ``after`` on, read from that byte on; compressed files inflate up to it.

        Raises:
            SourceChanged: The file is not the planned one, or does not hold the planned number of records.
            BadInput: After the last good record, when the chunk carries a fault or its bytes are broken.
        """
        span = chunk.range
        ordinal, offset, entry = _place(span, after)
        with closing(self._content(chunk, offset)) as content:
            window = Window(content, offset)
            cutter = self._cutter(window, chunk)
            for cut in cutter.cuts(entry):
                first, ordinal = ordinal, ordinal + len(cut.raws)
                if ordinal > after.ordinal:
                    yield _batch(cut, first, max(0, after.ordinal - first))
        fault = cutter.fault
        if fault is None and ordinal != chunk.records:
            raise SourceChanged(
                f"{span.uri}: bytes {span.start} to {span.end} hold {ordinal} records,"
                f" planned were {chunk.records}"
            )
        fault = fault or chunk.fault
        if fault:
            raise BadInput(uri=span.uri, offset=fault.offset, expected=fault.expected)

    def md5(self, file: SourceFile) -> bytes:
        """MD5 of the stored bytes, for manifests. Raises SourceChanged."""
        digest = hashlib.md5(usedforsecurity=False)
        for block in self._stored(file):
            digest.update(block)
        return digest.digest()

    def text(self, uri: str, limit: int = 64 << 20) -> bytes:
        """A small file whole, for manifests.

        Raises:
            TargetMissing: There is no such file.
            BadInput: It has more than ``limit`` bytes.
        """
        file = self._stores.of(uri).stat(uri)
        if file.size > limit:
            raise BadInput(uri=uri, offset=limit, expected="the end of the file")
        return b"".join(self._stored(file))

    def stat(self, uri: str) -> SourceFile:
        """The file as it is now. Raises TargetMissing."""
        return self._stores.of(uri).stat(uri)

    def _stored(self, file: SourceFile) -> Blocks:
        return self._stores.blocks(file.uri, file.etag, 0, file.size)

    def _watched(self, blocks: Blocks) -> Blocks:
        for block in blocks:
            if self._watch is not None:
                self._watch(len(block))
            yield block

    def _survey(self, file: SourceFile, first: Iterator[bytes]) -> tuple[str, Survey]:
        """Survey the blocks of ``first``; a second pass, where one is needed, opens the file anew."""
        unread, kinds = [first], [""]
        opened: list[Blocks] = []

        def content() -> Iterator[bytes]:
            kinds[0], blocks = peeked(unread.pop() if unread else self._stored(file))
            opened.append(self._decoded(kinds[0], blocks, lambda: self._stored(file)))
            return opened[-1]

        try:
            found = self._surveyed(content)
        finally:
            for blocks in opened:
                blocks.close()
        return kinds[0], found

    def _surveyed(self, content: Callable[[], Iterable[bytes]]) -> Survey:
        return survey(content, group=self._group, limit=self._limit)

    def _cutter(self, window: Window, chunk: Chunk) -> Cutting:
        alone = reads_alone(chunk.shape)
        return Cutter(window, alone=alone, whole=False, group=self._group, limit=self._limit)

    def _decoded(self, kind: str, blocks: Iterable[bytes], again: Callable[[], Iterable[bytes]]) -> Blocks:
        """Gzip inflates in a thread beside the reader; zstd holds its lock too often for that to pay."""
        content = inflated(kind, blocks, again)
        return ahead(content) if kind == "gzip" else content

    def _content(self, chunk: Chunk, offset: int) -> Blocks:
        span = chunk.range
        if not chunk.compression:
            return self._stores.blocks(span.uri, span.etag, offset, span.end)
        size = self._stores.of(span.uri).stat(span.uri).size

        def stored() -> Blocks:
            return self._stores.blocks(span.uri, span.etag, 0, size)

        return _between(self._decoded(chunk.compression, stored(), stored), offset, span.end)


class Stores:
    """The store of each address."""

    def __init__(self, s3: S3Factory | None, block: int = BLOCK) -> None:
        self._s3 = s3
        self._block = block
        self._local = LocalFiles(block)
        self._objects: Store | None = None

    def of(self, uri: str) -> Store:
        """Raises ConfigurationError for an address that cannot be read here."""
        if uri.startswith("file://"):
            return self._local
        if not uri.startswith("s3://"):
            raise ConfigurationError(f"{uri}: an address starts with file:// or s3://")
        if self._objects is None:
            if self._s3 is None:
                raise ConfigurationError(f"{uri}: no S3 client is configured")
            from ingest_project.sources.s3_objects import S3Objects

            self._objects = S3Objects(self._s3(), block=self._block)
        return self._objects

    def blocks(self, uri: str, etag: str, start: int, end: int) -> Blocks:
        """Stored bytes; objects are fetched ahead of their use."""
        blocks = self.of(uri).blocks(uri, etag, start, end)
        return blocks if uri.startswith("file://") else ahead(blocks, FETCH_AHEAD)


def list_files(
    address: str, pattern: str = "*", *, recursive: bool = True, s3: S3Factory | None = None
) -> list[SourceFile]:
    """Files at a local path, a ``file://`` or an ``s3://`` address, sorted by URI.

    Args:
        address: A file, a folder or a prefix.
        pattern: Shell pattern of file names in a folder or under a prefix; a file named itself always counts.

    Raises:
        TargetMissing: There is nothing at the address.
    """
    uri = address if "://" in address else Path(address).resolve().as_uri()
    files = sorted(Stores(s3).of(uri).files(uri, recursive=recursive), key=lambda file: file.uri)
    return [file for file in files if file.uri == uri or fnmatchcase(_name(file), pattern)]


def _name(file: SourceFile) -> str:
    return file.uri.rsplit("/", 1)[-1]


def _place(span: FileRange, after: Position) -> tuple[int, int, Entry]:
    """Where to read on: ordinal and offset of the token, and what stands there."""
    if after.token:
        ordinal, _, offset = after.token.partition(":")
        return int(ordinal), int(offset), Entry.AFTER
    return 0, span.start, Entry.RECORD if span.start else Entry.START


def _batch(cut: Cut, first: int, skip: int) -> RecordBatch:
    count = first + len(cut.raws)
    return RecordBatch(
        first=first + skip,
        raws=cut.raws[skip:] if skip else cut.raws,
        offsets=Places(cut, skip),
        after=Position(count, f"{count}:{cut.end}"),
        text=cut.text,
    )


def _between(blocks: Iterable[bytes], start: int, end: int) -> Blocks:
    """Bytes [start, end) of a stream."""
    at = 0
    for block in blocks:
        low, high = max(start - at, 0), min(end - at, len(block))
        if low < high:
            yield block[low:high] if high - low < len(block) else block
        at += len(block)
        if at >= end:
            return
