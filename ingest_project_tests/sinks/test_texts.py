"""Texts at rest: they come back as they were, are packed, named by their key, and never another store's."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.errors import BadInput, ConfigurationError, TargetMissing
from ingest_project.sinks.objects import FolderObjects
from ingest_project.sinks.texts import TextStore, bucket_texts

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

KEY = "2700000/2024-03-01/ab12.txt"
PIECE = 5 << 20


@pytest.fixture
def store(tmp_path: Path) -> TextStore:
    return TextStore(FolderObjects(tmp_path))


def test_a_text_comes_back_by_key_and_by_uri(store: TextStore, tmp_path: Path) -> None:
    text = "Diário Oficial do Município\n" * 1000
    stored = store.write(KEY, text)
    packed = (tmp_path / KEY).read_bytes()
    assert (text, text) == (store.read(KEY), store.read(stored.uri))
    assert (f"{tmp_path.as_uri()}/{KEY}", len(text.encode())) == (stored.uri, stored.bytes)
    assert hashlib.sha256(text.encode()).hexdigest() == stored.sha256
    assert text.encode() == gzip.decompress(packed)
    assert len(packed) == stored.stored < stored.bytes * 0.4


def test_the_same_text_gives_the_same_bytes(store: TextStore, tmp_path: Path) -> None:
    store.write("a.txt", "texto")
    store.write("b.txt", "texto")
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes()


def test_a_text_that_somebody_stored_as_it_stands_is_read_too(store: TextStore, tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("ação")
    assert "ação" == store.read("plain.txt")


def test_what_is_missing_broken_or_of_another_store_says_so(store: TextStore, tmp_path: Path) -> None:
    (tmp_path / "cut.txt").write_bytes(gzip.compress(b"some text")[:-9])
    (tmp_path / "image.txt").write_bytes(b"\x89PNG")
    assert None is store.find("nothing.txt")
    with pytest.raises(TargetMissing, match=r"nothing\.txt"):
        store.read("nothing.txt")
    for name in ("cut.txt", "image.txt"):
        with pytest.raises(BadInput, match=name):
            store.read(name)
    with pytest.raises(ConfigurationError, match="not a text of"):
        store.read("s3://another/a.txt")


@settings(max_examples=25)
@given(st.text())
def test_every_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    store = TextStore(FolderObjects(tmp_path_factory.getbasetemp() / "texts"))
    store.write("any.txt", text)
    assert text == store.read("any.txt")


@pytest.mark.parametrize("size", [10, PIECE + 100])
def test_a_text_in_a_bucket_is_packed_told_as_such_and_sent_in_parts_when_it_is_large(
    s3: S3Client, one_bucket: str, prefix: str, size: int
) -> None:
    # Hexadecimal digits pack to half of their size and no further.
    text = hashlib.shake_128(b"seed").hexdigest(size)
    store = bucket_texts(s3, one_bucket, f"{prefix}/texts", piece=PIECE)
    stored = store.write(KEY, text)
    found = s3.get_object(Bucket=one_bucket, Key=f"{prefix}/texts/{KEY}")
    assert (text, text) == (store.read(KEY), gzip.decompress(found["Body"].read()).decode())
    assert ("gzip", "text/plain; charset=utf-8") == (found["ContentEncoding"], found["ContentType"])
    assert f"s3://{one_bucket}/{prefix}/texts/{KEY}" == stored.uri
    assert (stored.stored > PIECE) == ("-" in found["ETag"])
