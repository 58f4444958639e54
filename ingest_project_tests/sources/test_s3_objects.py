"""DumpSource over S3: the same records as from a local file, by ranged requests bound to the planned etag."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project.core.errors import SourceChanged, TargetMissing, TransientFailure
from ingest_project.core.model import Position
from ingest_project.sources.dumps import DumpSource, list_files
from ingest_project.sources.s3_objects import TORN, S3Objects
from ingest_project_tests.sources.dump_files import chunk_of, records

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ROWS = [b'{"id":"%d","text":"%s"}' % (n, b"x" * 900) for n in range(6000)]
DATA = b'{"Items":[' + b",".join(ROWS) + b"]}"


def test_an_object_is_indexed_and_read_from_any_mark(s3: S3Client, bucket: str) -> None:
    source = DumpSource(lambda: s3)
    for key, stored in (("a b/ü-dump.json", DATA), ("z.json.gz", gzip.compress(DATA, 1))):
        s3.put_object(Bucket=bucket, Key=key, Body=stored)
        file = list_files(f"s3://{bucket}/{key}", s3=lambda: s3)[0]
        assert (f"s3://{bucket}/{key}", len(stored)) == (file.uri, file.size)
        index = source.index(file)
        assert (6000, None) == (index.records, index.fault)
        whole = records(chunk_of(index), source=source)[0]
        assert ROWS == [raw for _, raw in whole]
        middle = index.marks[2].records
        assert whole[middle:] == records(chunk_of(index, 2), source=source)[0]
        after = next(iter(source.read(chunk_of(index), Position()))).after
        assert whole[after.ordinal :] == records(chunk_of(index), after, source)[0]


def test_an_object_that_was_written_again_is_refused(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.json", Body=b'[{"id":"1"}]')
    source = DumpSource(lambda: s3)
    index = source.index(source.stat(f"s3://{bucket}/a.json"))
    s3.put_object(Bucket=bucket, Key="a.json", Body=b'[{"id":"2"}]')
    with pytest.raises(SourceChanged, match=r"a\.json"):
        records(chunk_of(index), source=source)
    s3.put_object(Bucket=bucket, Key="a.json", Body=b"[]")
    with pytest.raises(SourceChanged):
        source.index(index.file)
    s3.delete_object(Bucket=bucket, Key="a.json")
    with pytest.raises(SourceChanged):
        source.index(index.file)


def test_an_empty_object_is_a_fault_of_its_content(s3: S3Client, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.json", Body=b"")
    source = DumpSource(lambda: s3)
    fault = source.index(source.stat(f"s3://{bucket}/a.json")).fault
    assert fault is not None
    assert (0, "a JSON value") == (fault.offset, fault.expected)


def test_objects_are_listed_under_a_prefix_by_pattern(s3: S3Client, bucket: str) -> None:
    for key in (
        "in/b-dump.json",
        "in/a-dump.json",
        "in/sub/c-dump.json",
        "in/.tmp/d-dump.json",
        "in/x.txt",
        "inn",
    ):
        s3.put_object(Bucket=bucket, Key=key, Body=b"[]")
    for address in (f"s3://{bucket}/in/", f"s3://{bucket}/in"):
        found = list_files(address, "*-dump.json", s3=lambda: s3)
        assert [f"s3://{bucket}/in/{name}-dump.json" for name in ("a", "b", "sub/c")] == [
            f.uri for f in found
        ]
        assert 2 == len(list_files(address, "*-dump.json", recursive=False, s3=lambda: s3))
    with pytest.raises(TargetMissing):
        list_files(f"s3://{bucket}/none/", s3=lambda: s3)
    with pytest.raises(TargetMissing):
        DumpSource(lambda: s3).stat(f"s3://{bucket}/none")


class CutBody:
    """A body that ends before its time."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.closed = False

    def read(self, size: int) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return b"x" * size

    def close(self) -> None:
        self.closed = True


class CutReader:
    """An S3 reader whose answers have so many bytes, the last number for all that follow; notes what it was
    asked for."""

    def __init__(self, *sizes: int) -> None:
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[CutBody] = []
        self._sizes = sizes

    def head_object(self, *, Bucket: str, Key: str) -> Mapping[str, Any]:
        raise AssertionError

    def get_object(self, *, Bucket: str, Key: str, Range: str, IfMatch: str) -> Mapping[str, Any]:
        self.asked.append((Range, IfMatch))
        self.bodies.append(CutBody(self._sizes[min(len(self.asked), len(self._sizes)) - 1]))
        return {"Body": self.bodies[-1]}

    def list_objects_v2(self, *, Bucket: str, Prefix: str, StartAfter: str) -> Mapping[str, Any]:
        raise AssertionError


def test_an_answer_that_breaks_off_goes_on_behind_its_last_byte() -> None:
    reader, pauses = CutReader(10, 3, 7, 5), list[float]()
    store = S3Objects(reader, request=10, block=4, sleep=pauses.append)
    assert [4, 4, 2, 3, 4, 3, 4, 1] == [len(block) for block in store.blocks("s3://b/k", "e1", 5, 30)]
    assert ["bytes=5-14", "bytes=15-24", "bytes=18-27", "bytes=25-29"] == [span for span, _ in reader.asked]
    assert {"e1"} == {etag for _, etag in reader.asked}
    assert [True] * 4 == [body.closed for body in reader.bodies]
    assert 2 == len(pauses)


def test_answers_without_a_byte_are_transient_after_a_few() -> None:
    reader, pauses = CutReader(10, 0), list[float]()
    blocks = S3Objects(reader, request=10, block=10, sleep=pauses.append).blocks("s3://b/k", "e1", 5, 100)
    assert 10 == len(next(blocks))
    with pytest.raises(TransientFailure, match="ended at byte 15"):
        next(blocks)
    assert (1 + TORN.attempts, TORN.attempts - 1) == (len(reader.asked), len(pauses))


def test_a_server_that_is_away_is_transient() -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
    )
    with pytest.raises(TransientFailure, match="s3://b/k"):
        DumpSource(lambda: client).stat("s3://b/k")
    client.close()
