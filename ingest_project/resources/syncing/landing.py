"""Landing: pages as they were sent become objects beside the parts, one page a line, zstd.

    pages/<entity>/<date>/<sync>/<slice>/<sequence>-<epoch>.jsonl.zst

An object is stored before the ledger counts it; what was stored and never counted, as a reader was killed
between the two, is deleted before its slice is through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol
from urllib.parse import quote

import zstandard

from ingest_project.core.model import SourceFile
from ingest_project.core.paging import RowRef, instant
from ingest_project.core.syncing import Bookmark, Landed, Slice, SliceClaim
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import Settings
from ingest_project.sinks.objects import FolderObjects
from ingest_project.sinks.s3 import BucketObjects
from ingest_project.sources.local_files import LocalFiles
from ingest_project.sources.s3_objects import S3Objects

LEVEL = 3

_OBJECT = re.compile(r"[0-9]{6,}-[0-9]+\.jsonl\.zst")


class Draft:
    """Pages on their way into one object, held compressed.

    Attributes:
        stored: Compressed bytes so far, about.
        ids: Of all rows.
    """

    def __init__(self) -> None:
        self._frame = zstandard.ZstdCompressor(level=LEVEL).compressobj()
        self._pieces: list[bytes] = []
        self._moment, self.moment = -1, ""
        self.pages = self.rows = self.bytes = self.stored = 0
        self.ids: set[int] = set()
        self.bookmark = Bookmark()

    def add(self, body: bytes, rows: Iterable[RowRef], bookmark: Bookmark) -> None:
        """Take a page; line breaks in it are white space between JSON's words and become blanks."""
        line = body.replace(b"\r", b" ").replace(b"\n", b" ")
        for piece in (self._frame.compress(line), self._frame.compress(b"\n")):
            self._pieces.append(piece)
            self.stored += len(piece)
        self.bytes += len(line) + 1
        self.pages += 1
        self.bookmark = bookmark
        for row in rows:
            self.rows += 1
            self.ids.add(row.id)
            if row.mod_ts and (moment := instant(row.mod_ts)) > self._moment:
                self._moment, self.moment = moment, row.mod_ts

    def finish(self) -> bytes:
        """The object's bytes."""
        return b"".join([*self._pieces, self._frame.flush()])


class Medium(Protocol):
    """What is needed of sinks.objects.Objects."""

    @property
    def name(self) -> str:
        """Where it is, as a URI."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Store the bytes; durable on return."""
        ...

    def children(self, prefix: str) -> Iterator[str]:
        """Names directly below a prefix."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects that may be there."""
        ...


class PageStore:
    """Where pages lie.

    Args:
        stat: The file behind a URI, as the readers of it will see it.
    """

    def __init__(self, objects: Medium, stat: Callable[[str], SourceFile]) -> None:
        self._objects, self._stat = objects, stat

    def __repr__(self) -> str:
        return f"PageStore({self._objects.name!r})"

    def put(self, claim: SliceClaim, draft: Draft) -> Landed:
        """Store a draft as the claim's next object; durable on return."""
        part, data = claim.slice, draft.finish()
        # The epoch keeps an owner who lost the slice from writing over what its successor stored.
        name = f"{claim.sequence:06d}-{claim.epoch}.jsonl.zst"
        key = _folder(part) + name
        self._objects.put(key, data)
        where = self._objects.name
        file = self._stat(f"{where}/{quote(key) if where.startswith('file:') else key}")
        return Landed(
            slice=part,
            sequence=claim.sequence,
            uri=file.uri,
            etag=file.etag,
            bytes=draft.bytes,
            stored=len(data),
            rows=draft.rows,
            pages=draft.pages,
            mod_ts_max=draft.moment,
            ids_low=min(draft.ids),
            ids_high=max(draft.ids),
        )

    def sweep(self, part: Slice, landed: Iterable[Landed]) -> int:
        """Delete the slice's objects that are not among what landed of it; how many they were.

        For who holds the slice and has landed all of it: nobody else can count an object of it any more.
        Where one that landed is not found, this is not the place, and nothing is deleted.
        """
        folder = _folder(part)
        counted = {one.uri.rpartition("/")[2] for one in landed}
        found = set(filter(_OBJECT.fullmatch, self._objects.children(folder)))
        orphans = sorted(found - counted) if counted <= found else []
        self._objects.delete(folder + name for name in orphans)
        return len(orphans)


def _folder(part: Slice) -> str:
    return "/".join(("pages", *map(quote, (part.entity, part.date)), part.name, ""))


def page_store(settings: Settings) -> PageStore:
    """Where pages lie in this deployment: beside the parts."""
    if settings.part_store == "local":
        return PageStore(FolderObjects(settings.home), LocalFiles().stat)
    client = s3_client(settings)
    return PageStore(BucketObjects(client, settings.bucket, settings.prefix), S3Objects(client).stat)
