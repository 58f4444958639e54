"""SourceLaws over the dump source: each shape, plain and compressed, on local disk and on every S3 server."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from ingest_project.core.errors import BadInput
from ingest_project.core.model import Position, SourceFile
from ingest_project.core.planning import Binding, plan
from ingest_project.sources.dumps import DumpSource, list_files
from ingest_project.testing.laws import Shelf, SourceLaws
from ingest_project.testing.samples import sample_chunk

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

Layout = tuple[bytes, bytes, bytes, bytes]
"""Before the first record, between two, behind the last of a good file, behind the last of a broken one."""

WRAPPER: Layout = (b'{"Count":3,"Items":[', b",", b"]}", b',{"id":')
PRETTY: Layout = (b"[\n  ", b",\n  ", b"\n]\n", b",\n  nil\n]")
LINES: Layout = (b"", b"\n", b"\n", b'\n{"id": "cut')


class LocalShelf:
    def __init__(self, folder: Path, layout: Layout, pack: Callable[[bytes], bytes] = bytes) -> None:
        self.source = DumpSource(block=4096, group=2048)
        self._folder, self._layout, self._pack = folder, layout, pack

    def put(self, name: str, records: Sequence[bytes]) -> SourceFile:
        before, between, behind, _ = self._layout
        return self.store(name, before + between.join(records) + (behind if records or before else b""))

    def put_broken(self, name: str, records: Sequence[bytes]) -> SourceFile:
        before, between, _, broken = self._layout
        return self.store(name, before + between.join(records) + broken)

    def store(self, name: str, text: bytes) -> SourceFile:
        path = self._folder / f"{name}.json"
        path.write_bytes(self._pack(text))
        (file,) = list_files(str(path))
        return file


class S3Shelf(LocalShelf):
    def __init__(self, s3: S3Client, bucket: str, prefix: str, layout: Layout) -> None:
        super().__init__(Path(), layout)
        self.source = DumpSource(lambda: s3, block=65_536, group=2048)
        self._s3, self._bucket, self._prefix = s3, bucket, prefix

    def store(self, name: str, text: bytes) -> SourceFile:
        self._s3.put_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}.json", Body=text)
        (file,) = list_files(f"s3://{self._bucket}/{self._prefix}/{name}.json", s3=lambda: self._s3)
        return file


class TestWrapper(SourceLaws):
    @pytest.fixture
    def shelf(self, tmp_path: Path) -> LocalShelf:
        return LocalShelf(tmp_path, WRAPPER)


class TestPrettyArray(SourceLaws):
    @pytest.fixture
    def shelf(self, tmp_path: Path) -> LocalShelf:
        return LocalShelf(tmp_path, PRETTY)


class TestLines(SourceLaws):
    @pytest.fixture
    def shelf(self, tmp_path: Path) -> LocalShelf:
        return LocalShelf(tmp_path, LINES)

    def test_a_file_without_records_is_no_error(self, shelf: Shelf) -> None:
        """Of lines it is one: an empty file is more likely cut off than meant."""
        assert shelf.source.index(shelf.put("a", [])).fault is not None


class TestS3(SourceLaws):
    @pytest.fixture
    def shelf(self, s3: S3Client, one_bucket: str, prefix: str) -> S3Shelf:
        return S3Shelf(s3, one_bucket, prefix, WRAPPER)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_compressed_file_is_read_as_one_chunk_and_on_from_any_place(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    shelf = LocalShelf(tmp_path, WRAPPER, pack)
    records = [b'{"id":"%d"}' % number for number in range(3000)]
    binding = Binding(index=shelf.source.index(shelf.put("a", records)), target="t", keys=sample_chunk().keys)
    (chunk,) = plan(None, [binding], entity="messages", date="2026-01-01", min_chunk_bytes=1).chunks
    batches = list(shelf.source.read(chunk, Position()))
    assert records == [bytes(raw) for batch in batches for raw in batch.raws]
    middle = batches[len(batches) // 2].after
    rest = [bytes(raw) for batch in shelf.source.read(chunk, middle) for raw in batch.raws]
    assert records[middle.ordinal :] == rest


@pytest.mark.parametrize("text", [b"", b"nonsense", b'{"Items":[', b'{"Items":[x', b"[1,"])
def test_a_file_broken_before_its_first_record_is_planned_and_says_where(tmp_path: Path, text: bytes) -> None:
    shelf = LocalShelf(tmp_path, WRAPPER)
    index = shelf.source.index(shelf.store(uuid.uuid4().hex, text))
    assert index.fault is not None
    binding = Binding(index=index, target="t", keys=sample_chunk().keys)
    chunks = plan(None, [binding], entity="messages", date="2026-01-01").chunks
    with pytest.raises(BadInput) as caught:
        [list(shelf.source.read(chunk, Position())) for chunk in chunks]
    assert (index.file.uri, index.fault.offset) == (caught.value.uri, caught.value.offset)
