"""SourceLaws over CSV files: plain, with every kind of line end and delimiter, on local disk and on every S3
server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingest_project.core.layouts import Layout
from ingest_project.core.model import SourceFile
from ingest_project.sources.dumps import list_files
from ingest_project.sources.rows import RowSource
from ingest_project.testing.laws import SourceLaws

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LAYOUT = Layout(name="laws", required=("id", "n", "t"))


@dataclass(frozen=True)
class Form:
    """How a file of rows is written. The laws' records are rows here: text without line ends."""

    header: bytes
    between: bytes = b"\n"
    behind: bytes = b"\n"


FEEDS = Form(header=b"id,n,t,more")
WINDOWS = Form(header=b"\xef\xbb\xbf\r\nT;more;N;ID", between=b"\r\n\r\n", behind=b"")
RETURNS = Form(header=b"id\tt\tn", between=b"\r", behind=b"\r\r")


class LocalShelf:
    def __init__(self, folder: Path, form: Form) -> None:
        self.source = RowSource([LAYOUT], block=4096, group=2048)
        self._folder, self._form = folder, form

    def put(self, name: str, records: Sequence[bytes]) -> SourceFile:
        form = self._form
        return self.store(name, form.between.join([form.header, *records]) + form.behind)

    def put_broken(self, name: str, records: Sequence[bytes]) -> SourceFile:
        form = self._form
        return self.store(name, form.between.join([form.header, *records, b'"cut o']))

    def store(self, name: str, text: bytes) -> SourceFile:
        path = self._folder / f"{name}.csv"
        path.write_bytes(text)
        (file,) = list_files(str(path))
        return file


class S3Shelf(LocalShelf):
    def __init__(self, s3: S3Client, bucket: str, prefix: str, form: Form) -> None:
        super().__init__(Path(), form)
        self.source = RowSource([LAYOUT], lambda: s3, block=65_536, group=2048)
        self._s3, self._bucket, self._prefix = s3, bucket, prefix

    def store(self, name: str, text: bytes) -> SourceFile:
        self._s3.put_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}.csv", Body=text)
        (file,) = list_files(f"s3://{self._bucket}/{self._prefix}/{name}.csv", s3=lambda: self._s3)
        return file


class TestRows(SourceLaws):
    @pytest.fixture
    def shelf(self, tmp_path: Path) -> LocalShelf:
        return LocalShelf(tmp_path, FEEDS)


class TestRowsOfWindows(SourceLaws):
    @pytest.fixture
    def shelf(self, tmp_path: Path) -> LocalShelf:
        return LocalShelf(tmp_path, WINDOWS)


class TestRowsBetweenReturns(SourceLaws):
    @pytest.fixture
    def shelf(self, tmp_path: Path) -> LocalShelf:
        return LocalShelf(tmp_path, RETURNS)


class TestRowsInS3(SourceLaws):
    @pytest.fixture
    def shelf(self, s3: S3Client, one_bucket: str, prefix: str) -> S3Shelf:
        return S3Shelf(s3, one_bucket, prefix, FEEDS)
