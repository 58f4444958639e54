"""Upload: one S3 object that is written bit by bit and is there only when it is whole.

Knows no format; never retries.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ingest_project.sinks.s3 import translated

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PIECE = 8 << 20
"""Bytes of a part of an upload; S3 takes 10,000 parts, so 78 GiB an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object as it was sent. ``etag``: as the store tells it."""

    bytes: int
    etag: str
    md5: str
    sha256: str


class Upload:
    """An object on its way; as a context manager it is taken back unless it was finished.

    Memory: one piece and what is added at once.

    Args:
        media: Content-Type of the object, where it is to have one.
        encoding: Content-Encoding of its bytes.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        key: str,
        *,
        piece: int = PIECE,
        media: str = "",
        encoding: str = "",
    ) -> None:
        self._client, self._bucket, self._key, self._piece = client, bucket, key, piece
        named = {"ContentType": media, "ContentEncoding": encoding}
        self._headers: Any = {name: word for name, word in named.items() if word}
        self._held = bytearray()
        self._bytes = 0
        self._md5, self._sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        self._upload = ""
        self._parts: list[CompletedPartTypeDef] = []

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *error: object) -> None:
        """Take back what was not finished; a store that does not answer keeps it until ``sweep``."""
        if self._upload:
            try:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload)
            except ClientError:
                return

    def write(self, data: bytes) -> None:
        """Add to the object."""
        self._held += data
        self._bytes += len(data)
        self._md5.update(data)
        self._sha256.update(data)
        while len(self._held) >= self._piece:
            self._send(bytes(self._held[: self._piece]))
            del self._held[: self._piece]

    def finish(self) -> Stored:
        """Make the object visible, in place of one that is there."""
        with translated(f"s3://{self._bucket}/{self._key}"):
            if not self._upload:
                etag = self._client.put_object(
                    Bucket=self._bucket, Key=self._key, Body=bytes(self._held), **self._headers
                )["ETag"]
            else:
                if self._held:
                    self._send(bytes(self._held))
                etag = self._client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=self._key,
                    UploadId=self._upload,
                    MultipartUpload={"Parts": self._parts},
                )["ETag"]
        self._upload = ""
        return Stored(
            bytes=self._bytes, etag=etag, md5=self._md5.hexdigest(), sha256=self._sha256.hexdigest()
        )

    def _send(self, data: bytes) -> None:
        with translated(f"s3://{self._bucket}/{self._key}"):
            if not self._upload:
                made = self._client.create_multipart_upload(
                    Bucket=self._bucket, Key=self._key, **self._headers
                )
                self._upload = made["UploadId"]
            number = len(self._parts) + 1
            answer = self._client.upload_part(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload, PartNumber=number, Body=data
            )
            self._parts.append({"ETag": answer["ETag"], "PartNumber": number})


def listing(client: S3Client, bucket: str, prefix: str) -> dict[str, tuple[int, str]]:
    """Key -> bytes and ETag of everything below ``prefix``."""
    found: dict[str, tuple[int, str]] = {}
    with translated(f"s3://{bucket}/{prefix}"):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            found.update((one["Key"], (one["Size"], one["ETag"])) for one in page.get("Contents", []))
    return found


def sweep(client: S3Client, bucket: str, prefix: str) -> int:
    """Take back uploads below ``prefix`` that nobody finished, which cost as if they were objects."""
    with translated(f"s3://{bucket}/{prefix}"):
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
        left = [(one["Key"], one["UploadId"]) for page in pages for one in page.get("Uploads", [])]
        for key, upload in left:
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    return len(left)
