"""Uploads on each S3: whole or not at all, in pieces or in one, with sums that others compute as well."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from ingest_project.sinks.uploads import Upload, listing, sweep

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

PIECE = 5 << 20
"""The least that S3 takes as a piece that is not the last."""


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 77])
def test_an_object_is_what_was_written(s3: S3Client, one_bucket: str, prefix: str, size: int) -> None:
    data = hashlib.shake_128(b"seed").digest(size)
    with Upload(s3, one_bucket, f"{prefix}/a", piece=PIECE) as upload:
        for at in range(0, size, 1_000_003):
            upload.write(data[at : at + 1_000_003])
        stored = upload.finish()
    assert data == s3.get_object(Bucket=one_bucket, Key=f"{prefix}/a")["Body"].read()
    assert (size, hashlib.md5(data).hexdigest()) == (stored.bytes, stored.md5)
    assert hashlib.sha256(data).hexdigest() == stored.sha256
    assert {f"{prefix}/a": (size, stored.etag)} == listing(s3, one_bucket, prefix)


def test_nothing_is_visible_before_the_end_and_what_failed_is_taken_back(
    s3: S3Client, one_bucket: str, prefix: str
) -> None:
    with Upload(s3, one_bucket, f"{prefix}/a", piece=PIECE) as upload:
        upload.write(b"x" * (PIECE + 1))
        assert {} == listing(s3, one_bucket, prefix)
    assert {} == listing(s3, one_bucket, prefix)
    assert 0 == sweep(s3, one_bucket, prefix)


def test_what_a_killed_process_left_half_sent_is_swept(s3: S3Client, one_bucket: str, prefix: str) -> None:
    for name in ("a", "b"):
        Upload(s3, one_bucket, f"{prefix}/{name}", piece=PIECE).write(b"x" * PIECE)
    assert 2 == sweep(s3, one_bucket, f"{prefix}/")
    assert 0 == sweep(s3, one_bucket, f"{prefix}/")
