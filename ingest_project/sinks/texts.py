"""Texts by key in an object store, gzip at rest. What they are texts of is decided by who stores them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from isal import igzip, igzip_lib

from ingest_project.core.errors import BadInput, ConfigurationError, TargetMissing
from ingest_project.sinks.objects import Objects
from ingest_project.sinks.s3 import BucketObjects
from ingest_project.sinks.uploads import PIECE, Upload

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LEVEL = 3
"""Of igzip's 0 to 3."""

_GZIP = b"\x1f\x8b"
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)
_DAMAGE = (_ISAL_ERROR, EOFError, OSError)
_inflate = cast("Callable[[bytes], bytes]", igzip.decompress)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredText:
    """A text that is in the store.

    Attributes:
        uri: Where; ``TextStore.read`` takes it.
        sha256: Of the text.
        bytes: Of the text in UTF-8.
        stored: Of what lies there.
    """

    uri: str
    sha256: str
    bytes: int
    stored: int


class TextStore:
    """Texts below one place.

    Memory: a text, its UTF-8 and what is stored of it.

    Args:
        put: Writes an object, in place of ``objects.put``.
    """

    def __init__(self, objects: Objects, put: Callable[[str, bytes], None] | None = None) -> None:
        self._objects, self._put = objects, put or objects.put

    def __repr__(self) -> str:
        return f"TextStore({self.name!r})"

    @property
    def name(self) -> str:
        """Where it is, as a URI."""
        return self._objects.name

    def uri(self, key: str) -> str:
        """Of a text, whether it is there or not."""
        return f"{self.name}/{key}"

    def write(self, key: str, text: str) -> StoredText:
        """Store a text, in place of the one that is there. The same text gives the same bytes."""
        data = text.encode()
        packed: bytes = igzip.compress(data, LEVEL, mtime=0)
        self._put(key, packed)
        return StoredText(
            uri=self.uri(key), sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), stored=len(packed)
        )

    def find(self, where: str) -> str | None:
        """The text at a key or a URI of this store; ``None``: there is none.

        Raises:
            ConfigurationError: The URI is another store's.
            BadInput: What lies there is no text of ours.
        """
        key = self._key(where)
        data = self._objects.get(key)
        if data is None:
            return None
        try:
            return (_inflate(data) if data.startswith(_GZIP) else data).decode()
        except (*_DAMAGE, UnicodeDecodeError) as error:
            raise BadInput(uri=self.uri(key), offset=0, expected="UTF-8, plain or gzip") from error

    def read(self, where: str) -> str:
        """``find`` of a text that must be there.

        Raises:
            TargetMissing: It is not.
        """
        text = self.find(where)
        if text is None:
            raise TargetMissing(f"{self.uri(self._key(where))}: there is no such text")
        return text

    def _key(self, where: str) -> str:
        own = f"{self.name}/"
        if "://" in where and not where.startswith(own):
            raise ConfigurationError(f"{where}: not a text of {self.name}")
        return where.removeprefix(own)


def bucket_texts(client: S3Client, bucket: str, prefix: str = "", *, piece: int = PIECE) -> TextStore:
    """Texts in a bucket, in several parts from ``piece`` bytes on. A browser gets them as text."""
    objects = BucketObjects(client, bucket, prefix)
    root = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def put(key: str, data: bytes) -> None:
        with Upload(
            client, bucket, root + key, piece=piece, media="text/plain; charset=utf-8", encoding="gzip"
        ) as upload:
            upload.write(data)
            upload.finish()

    return TextStore(objects, put)
