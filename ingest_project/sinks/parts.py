"""Part stores: where validated records lie between the stages, in a folder or in a bucket.

    <entity>/validated/date=2026-11-22/chunk=<id>/part-00000.jsonl.zst   the records, one a line
                                                 /part-00000.side        source offsets and sorted key entries
                                                 /manifest.json          which parts count

What the bytes look like is decided in formats.parts, how they reach a medium in sinks.objects and sinks.s3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ingest_project.core.errors import PermanentFailure, TargetMissing
from ingest_project.core.model import Chunk, PartInfo
from ingest_project.formats import parts as codec
from ingest_project.sinks.objects import FolderObjects, Objects, identity, pieces
from ingest_project.sinks.s3 import BucketObjects

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

DATA_PIECE = 1024 * 1024
"""Bytes of records fetched at a time."""

LOCAL_DATA_PIECE = 256 * 1024
"""The same from a folder; each chunk on its way to a target holds some three of them."""

SIDE_PIECE = 96 * 1024
"""Bytes of key entries fetched at a time, a multiple of an entry: a merge holds one piece for each part."""

LOCAL_SIDE_PIECE = 64 * 24
"""The same from a folder, where a read costs next to nothing: 6400 parts, 100 GiB of records, hold some
50 MB."""

MANIFEST = "manifest.json"
_VERSION = 1


class ObjectPartStore:
    """core.ports.PartStore over any medium.

    A draft holds the compressed form of its lines; reading holds one piece and one frame.

    Args:
        level: Of compression, see formats.parts.
    """

    def __init__(
        self,
        objects: Objects,
        *,
        data_piece: int = DATA_PIECE,
        side_piece: int = SIDE_PIECE,
        level: int = codec.LEVEL,
    ) -> None:
        self._objects, self._level = objects, level
        self._data_piece, self._side_piece = data_piece, side_piece
        self._offsets: tuple[str, bytes] = ("", b"")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._objects.name!r})"

    @property
    def identity(self) -> str:
        """Where the store is and the id that it was given once. Asked for anew each time: a store that was
        wiped meanwhile is another one."""
        return identity(self._objects)

    def draft(self) -> codec.LinePacker:
        """See core.ports.PartStore."""
        return codec.LinePacker(self._level)

    def write(
        self, chunk: Chunk, info: PartInfo, data: bytes, hashes: Sequence[bytes], offsets: Sequence[int]
    ) -> int:
        """See core.ports.PartStore."""
        if not info.records == len(hashes) == len(offsets):
            raise ValueError(f"part {info.number}: {info.records} records, but {len(hashes)} key hashes")
        side = codec.encode_side(offsets, hashes, info.first)
        self._offsets = ("", b"")
        self._objects.put(_side(chunk, info), side)
        self._objects.put(_data(chunk, info), data)
        return len(data) + len(side)

    def publish(self, chunk: Chunk, parts: Sequence[PartInfo]) -> None:
        """See core.ports.PartStore."""
        span = chunk.range
        manifest = {
            "version": _VERSION,
            "fingerprint": chunk.fingerprint,
            "target": chunk.target,
            "uri": span.uri,
            "start": span.start,
            "end": span.end,
            "records": sum(info.records for info in parts),
            "parts": [asdict(info) for info in parts],
        }
        self._objects.put(folder_of(chunk) + MANIFEST, json.dumps(manifest, indent=1).encode())

    def parts(self, chunk: Chunk) -> Sequence[PartInfo]:
        """See core.ports.PartStore."""
        stored = self._objects.get(folder_of(chunk) + MANIFEST)
        if stored is None:
            raise TargetMissing(
                f"chunk {chunk.id} of {chunk.range.uri} is not published in {self._objects.name}"
            )
        manifest = json.loads(stored)
        if (manifest["version"], manifest["fingerprint"]) != (_VERSION, chunk.fingerprint):
            raise TargetMissing(
                f"chunk {chunk.id} in {self._objects.name} was made of other bytes: validate again"
            )
        return tuple(PartInfo(**info) for info in manifest["parts"])

    def gone(self, chunk: Chunk) -> Sequence[str]:
        """Which objects a reader of the chunk would miss: its manifest, or parts that it names."""
        try:
            infos = self.parts(chunk)
        except TargetMissing:
            return (folder_of(chunk) + MANIFEST,)
        there = set(self._objects.children(folder_of(chunk))) if infos else ()
        wanted = [name(chunk, info) for info in infos for name in (_data, _side)]
        return [key for key in wanted if key.rsplit("/", 1)[-1] not in there]

    def lines(self, chunk: Chunk, info: PartInfo) -> Iterator[Sequence[bytes]]:
        """See core.ports.PartStore.

        Raises:
            PermanentFailure: The stored bytes are damaged or fewer than were written.
        """
        key, seen = _data(chunk, info), 0
        for block in codec.decode_lines(pieces(self._objects, key, size=self._data_piece)):
            seen += len(block)
            yield block
        self._refuse_short(key, info, seen)

    def offset(self, chunk: Chunk, info: PartInfo, ordinal: int) -> int:
        """See core.ports.PartStore."""
        index = ordinal - info.first
        if not 0 <= index < info.records:
            raise ValueError(f"part {info.number} of chunk {chunk.id} has no record {ordinal}")
        # Rejections come in runs: the part's offsets (8 bytes a record) are kept until another part is asked
        # for.
        key = _side(chunk, info)
        known, offsets = self._offsets
        if known != key:
            end = codec.offset_range(info.records)[0]
            offsets = b"".join(pieces(self._objects, key, size=SIDE_PIECE, end=end))
            self._offsets = (key, offsets)
        start, end = codec.offset_range(index)
        if len(offsets) < end:
            self._refuse_short(key, info, len(offsets) // (end - start))
        return codec.decode_offset(offsets[start:end])

    def key_entries(self, chunk: Chunk, info: PartInfo) -> Iterator[bytes]:
        """See core.ports.PartStore."""
        start, end = codec.entry_range(info.records)
        key, count = _side(chunk, info), 0
        found = pieces(self._objects, key, size=self._side_piece, start=start, end=end)
        for run in codec.decode_entries(found):
            count += len(run) // codec.ENTRY_BYTES
            yield run
        self._refuse_short(key, info, count)

    def discard(self, chunk: Chunk) -> None:
        """Delete the chunk's parts, its manifest first; nothing happens when there are none."""
        self._objects.remove(folder_of(chunk), MANIFEST)

    def _refuse_short(self, key: str, info: PartInfo, seen: int) -> None:
        if seen != info.records:
            raise PermanentFailure(
                f"{self._objects.name}/{key}: {info.records} records were stored, {seen} are there: "
                "validate its chunk again"
            )


class LocalPartStore(ObjectPartStore):
    """Parts in a folder, each written beside its place, synced and renamed; compressed less than in a bucket,
    where bytes travel and are paid for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            FolderObjects(folder),
            data_piece=LOCAL_DATA_PIECE,
            side_piece=LOCAL_SIDE_PIECE,
            level=codec.FAST_LEVEL,
        )


class S3PartStore(ObjectPartStore):
    """Parts in a bucket."""

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        super().__init__(BucketObjects(client, bucket, prefix))


def folder_of(chunk: Chunk) -> str:
    """Where the chunk's parts lie under the store's root, with a slash at the end."""
    return f"{quote(chunk.entity)}/validated/date={quote(chunk.date)}/chunk={chunk.id}/"


def _data(chunk: Chunk, info: PartInfo) -> str:
    return f"{folder_of(chunk)}part-{info.number:05d}.jsonl.zst"


def _side(chunk: Chunk, info: PartInfo) -> str:
    return f"{folder_of(chunk)}part-{info.number:05d}.side"
