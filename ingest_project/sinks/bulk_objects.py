"""BulkStore: the objects that DynamoDB imports, in a bucket, with a record of each and a manifest of all.

    <entity>/bulk/<table>/<id>/data/<table>-00000.json.zst   import lines; nothing else may lie below data/
                              /objects/00000.json            what that object holds, written behind it
                              /layout.json                   which buckets make which object
                              /manifest.json                 all of them: from now on they may be imported
                              /operation.json                the service's work on them

Where lines come from and in which order is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ingest_project.core.errors import CountLost
from ingest_project.formats.packing import ENDINGS, packer
from ingest_project.sinks.s3 import BucketObjects
from ingest_project.sinks.uploads import PIECE, Upload, listing, sweep

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

WRITE_LINES = 2048
"""Lines that are joined before they are compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkObject:
    """One published object.

    Attributes:
        key: In its bucket.
        items: Lines in it.
        text_bytes: Of its lines with their line breaks: what the service calls uncompressed.
        stored_bytes: As it lies in S3.
    """

    number: int
    key: str
    items: int
    text_bytes: int
    stored_bytes: int
    etag: str
    md5: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChunk:
    """What of one chunk is in the objects: ``records`` without ``superseded``."""

    id: str
    records: int
    superseded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkManifest:
    """All objects of one table, complete.

    Attributes:
        id: Of exactly these records, left out ones and settings.
        prefix: Under which the objects lie, with a slash at its end: what the service is told.
        horizon: Number of validated chunks that were known when the superseded records were named.
    """

    id: str
    entity: str
    table: str
    bucket: str
    prefix: str
    compression: str
    horizon: int
    items: int
    superseded: int
    text_bytes: int
    stored_bytes: int
    objects: tuple[BulkObject, ...]
    chunks: tuple[BulkChunk, ...]

    def as_dict(self) -> dict[str, Any]:
        """In words that JSON knows."""
        return asdict(self)


class BulkStore:
    """One table's bulk objects of one id.

    Memory while an object is written: one piece of an upload and WRITE_LINES lines.

    Args:
        root: Folder of the deployment in the bucket, may be empty.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        root: str,
        *,
        entity: str,
        table: str,
        name: str,
        compression: str,
        piece: int = PIECE,
    ) -> None:
        self._client, self.bucket, self._table, self._piece = client, bucket, table, piece
        self._compression = compression
        self._objects = BucketObjects(client, bucket, root)
        self._folder = f"{table_folder(entity, table)}{name}/"
        self._root = f"{root.strip('/')}/" if root.strip("/") else ""

    @property
    def prefix(self) -> str:
        """Key prefix of the objects in the bucket."""
        return f"{self._root}{self._folder}data/"

    @property
    def failed_prefix(self) -> str:
        """Key prefix for the service's lists of what it refused."""
        return f"{self._root}{self._folder}failed/"

    def manifest(self) -> BulkManifest | None:
        """What was published; None when it was not, or when an object of it is no longer there."""
        stored = self._get("manifest.json")
        if stored is None:
            return None
        found = manifest_of(stored)
        there = listing(self._client, self.bucket, self.prefix)
        whole = {one.key: (one.stored_bytes, one.etag) for one in found.objects} == there
        return found if whole else None

    def layout(self) -> Sequence[Sequence[int]] | None:
        """Buckets of each object, first and last one, as they were decided once."""
        stored = self._get("layout.json")
        return None if stored is None else stored["objects"]

    def keep_layout(self, objects: Sequence[Sequence[int]]) -> None:
        self._put("layout.json", {"objects": objects})

    def published(self) -> Mapping[int, BulkObject]:
        """Number -> object, of those that are there as they were recorded; unfinished uploads are taken
        back."""
        sweep(self._client, self.bucket, self.prefix)
        there = listing(self._client, self.bucket, self.prefix)
        found: dict[int, BulkObject] = {}
        for name in self._objects.children(f"{self._folder}objects/"):
            stored = self._get(f"objects/{name}")
            one = None if stored is None else BulkObject(**stored)
            if one is not None and there.get(one.key) == (one.stored_bytes, one.etag):
                found[one.number] = one
        return found

    def write(self, number: int, blocks: Iterable[Sequence[bytes]]) -> BulkObject:
        """Store one object whole, then its record.

        Raises:
            TransientFailure: S3 does not answer; nothing of the object is visible.
        """
        key = f"{self.prefix}{quote(self._table)}-{number:05d}.json{ENDINGS[self._compression]}"
        stream, items, size = packer(self._compression), 0, 0
        with Upload(self._client, self.bucket, key, piece=self._piece) as upload:
            for text, count in _texts(blocks):
                upload.write(stream.compress(text))
                items, size = items + count, size + len(text)
            upload.write(stream.flush())
            stored = upload.finish()
        made = BulkObject(
            number=number,
            key=key,
            items=items,
            text_bytes=size,
            stored_bytes=stored.bytes,
            etag=stored.etag,
            md5=stored.md5,
            sha256=stored.sha256,
        )
        self._put(f"objects/{number:05d}.json", asdict(made))
        return made

    def publish(self, manifest: BulkManifest) -> None:
        """Remove what lies beside the manifest's objects, and store the manifest.

        Raises:
            CountLost: The objects do not hold the manifest's items.
        """
        held = sum(one.items for one in manifest.objects)
        promised = sum(chunk.records - chunk.superseded for chunk in manifest.chunks)
        if not held == promised == manifest.items:
            raise CountLost(f"{manifest.table}: objects hold {held} items of {promised} that were validated")
        wanted = {one.key for one in manifest.objects}
        strays = [key for key in listing(self._client, self.bucket, self.prefix) if key not in wanted]
        for key in strays:
            self._client.delete_object(Bucket=self.bucket, Key=key)
        self._put("manifest.json", manifest.as_dict())

    def operation(self) -> dict[str, Any] | None:
        """What was noted of the service's work on the objects."""
        found: dict[str, Any] | None = self._get("operation.json")
        return found

    def note_operation(self, words: Mapping[str, Any]) -> None:
        self._put("operation.json", words)

    def _get(self, name: str) -> Any:
        stored = self._objects.get(self._folder + name)
        return None if stored is None else json.loads(stored)

    def _put(self, name: str, words: Any) -> None:
        self._objects.put(self._folder + name, json.dumps(words, indent=1).encode())


def table_folder(entity: str, table: str) -> str:
    """Where everything of a table lies, below the deployment's folder, with a slash at the end."""
    return f"{quote(entity)}/bulk/{quote(table)}/"


def exports(client: S3Client, bucket: str, root: str, entity: str, table: str) -> Sequence[str]:
    """Ids of what was begun to be exported of a table."""
    return list(BucketObjects(client, bucket, root).children(table_folder(entity, table)))


def manifest_of(words: Mapping[str, Any]) -> BulkManifest:
    """A manifest that ``as_dict`` gave."""
    objects = tuple(BulkObject(**one) for one in words["objects"])
    chunks = tuple(BulkChunk(**one) for one in words["chunks"])
    return BulkManifest(**{**words, "objects": objects, "chunks": chunks})


def _texts(blocks: Iterable[Sequence[bytes]]) -> Iterator[tuple[bytes, int]]:
    """Joined lines, each with its line break, and how many they are."""
    for block in blocks:
        for at in range(0, len(block), WRITE_LINES):
            some = block[at : at + WRITE_LINES]
            yield b"\n".join((*some, b"")), len(some)
