"""PartStoreLaws over the part store in a folder and on every S3 server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingest_project.sinks.parts import LocalPartStore, S3PartStore
from ingest_project.testing.laws import PartStoreLaws

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class TestLocalPartStore(PartStoreLaws):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalPartStore:
        return LocalPartStore(tmp_path)


class TestS3PartStore(PartStoreLaws):
    @pytest.fixture
    def store(self, s3: S3Client, one_bucket: str, prefix: str) -> S3PartStore:
        return S3PartStore(s3, one_bucket, prefix)
