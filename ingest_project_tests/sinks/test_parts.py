"""Part stores in a folder and on every S3 server: what is their own beyond the laws of all part stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
import zstandard
from botocore.config import Config
from botocore.exceptions import ClientError

from ingest_project.core.errors import (
    IngestError,
    PermanentFailure,
    TargetMissing,
    Throttled,
    TransientFailure,
)
from ingest_project.core.model import PartInfo
from ingest_project.sinks.objects import FolderObjects, Objects, identity, pieces
from ingest_project.sinks.parts import ObjectPartStore, S3PartStore, folder_of
from ingest_project.sinks.s3 import BucketObjects, translated
from ingest_project.testing.laws_parts import lines_of, numbered, packed, store_part
from ingest_project.testing.samples import key_hash, sample_chunk
from ingest_project_tests.every_server import Clients, over

CHUNK = sample_chunk()
ID = "0" * 31 + "1"


@pytest.fixture(params=["folder", *over("seaweedfs", "moto")])
def objects(request: pytest.FixtureRequest, clients: Clients, prefix: str, tmp_path: Path) -> Objects:
    """An empty medium of each kind."""
    if request.param == "folder":
        return FolderObjects(tmp_path / "store")
    server = request.getfixturevalue(request.param)
    return BucketObjects(clients.boto("s3", server), clients.bucket(server), prefix)


@pytest.fixture
def store(objects: Objects) -> ObjectPartStore:
    return ObjectPartStore(objects)


def test_people_can_find_and_read_a_part(store: ObjectPartStore, objects: Objects) -> None:
    store.publish(CHUNK, [store_part(store, CHUNK, 0, 0, numbered(1300))])
    folder = f"messages/validated/date=2026-01-01/chunk={CHUNK.id}/"
    assert list(objects.children(folder)) == ["manifest.json", "part-00000.jsonl.zst", "part-00000.side"]
    manifest = json.loads(objects.get(folder + "manifest.json") or b"")
    assert (manifest["uri"], manifest["records"]) == ("file:///in/a.json", 1300)
    frames = zstandard.ZstdDecompressor().stream_reader(
        objects.get(folder + "part-00000.jsonl.zst") or b"", read_across_frames=True
    )
    assert frames.read().replace(b"\n", b"").count(b'{"Item":{"id"') == 1300


def test_a_store_that_was_wiped_is_another_store(store: ObjectPartStore, objects: Objects) -> None:
    before = store.identity
    assert before.startswith(objects.name + "#")
    objects.remove("", "store-identity")
    assert store.identity != before


def test_named_objects_are_deleted_and_no_others(objects: Objects) -> None:
    for name in ("a/1", "a/2", "b/3"):
        objects.put(name, name.encode())
    objects.delete(["a/1", "b/3", "a/never there"])
    objects.delete([])
    assert (["2"], None) == (list(objects.children("a/")), objects.get("b/3"))


def test_two_who_make_a_store_at_once_agree_on_its_identity(objects: Objects) -> None:
    assert identity(objects, lambda: ID) == identity(objects, lambda: "another")
    assert not objects.create("store-identity", b"third")
    assert identity(objects) == f"{objects.name}#{ID}"


def test_a_discarded_chunk_is_not_published_and_harms_no_other(store: ObjectPartStore) -> None:
    other = sample_chunk("b")
    for chunk in (CHUNK, other):
        store.publish(chunk, [store_part(store, chunk, 0, 0, numbered(3))])
    store.discard(CHUNK)
    store.discard(CHUNK)
    with pytest.raises(TargetMissing):
        store.parts(CHUNK)
    (info,) = store.parts(other)
    assert numbered(3) == lines_of(store, other, info)


def test_parts_made_of_other_bytes_do_not_count(store: ObjectPartStore) -> None:
    store.publish(CHUNK, [store_part(store, CHUNK, 0, 0, numbered(3))])
    with pytest.raises(TargetMissing, match="other bytes"):
        store.parts(sample_chunk(records=11))


def test_a_part_that_lost_whole_frames_is_noticed(store: ObjectPartStore, objects: Objects) -> None:
    info = store_part(store, CHUNK, 0, 0, numbered(600))
    short = PartInfo(number=1, first=0, records=512, bytes=info.bytes)
    store.write(
        CHUNK, short, packed(store, numbered(512)), [key_hash(n) for n in range(512)], list(range(512))
    )
    frame = objects.get(f"{folder_of(CHUNK)}part-00001.jsonl.zst")
    objects.put(f"{folder_of(CHUNK)}part-00000.jsonl.zst", frame or b"")
    with pytest.raises(PermanentFailure, match="600 records were stored, 512 are there"):
        lines_of(store, CHUNK, info)


def test_key_entries_that_were_cut_are_noticed(store: ObjectPartStore, objects: Objects) -> None:
    info = store_part(store, CHUNK, 0, 0, numbered(10))
    key = f"{folder_of(CHUNK)}part-00000.side"
    objects.put(key, (objects.get(key) or b"")[:-24])
    with pytest.raises(PermanentFailure, match="10 records were stored, 9 are there"):
        list(store.key_entries(CHUNK, info))
    objects.put(key, (objects.get(key) or b"")[:20])
    with pytest.raises(PermanentFailure, match="are there"):
        store.offset(CHUNK, info, 5)


def test_a_missing_part_is_named(store: ObjectPartStore) -> None:
    info = PartInfo(number=7, first=0, records=1, bytes=2)
    with pytest.raises(TargetMissing, match=r"part-00007\.jsonl\.zst"):
        list(store.lines(CHUNK, info))
    with pytest.raises(TargetMissing, match=r"part-00007\.side"):
        list(store.key_entries(CHUNK, info))


def test_what_a_reader_would_miss_is_named(store: ObjectPartStore) -> None:
    assert [folder_of(CHUNK) + "manifest.json"] == list(store.gone(CHUNK))
    infos = [store_part(store, CHUNK, number, number, [b"{}"]) for number in range(2)]
    store.publish(CHUNK, infos)
    assert [] == list(store.gone(CHUNK))
    store.publish(CHUNK, [*infos, PartInfo(number=2, first=2, records=1, bytes=2)])
    lost = [f"{folder_of(CHUNK)}part-00002{ending}" for ending in (".jsonl.zst", ".side")]
    assert lost == list(store.gone(CHUNK))


def test_a_part_and_its_numbers_must_agree(store: ObjectPartStore) -> None:
    info = PartInfo(number=0, first=0, records=2, bytes=2)
    with pytest.raises(ValueError, match="2 records, but 1 key hashes"):
        store.write(CHUNK, info, packed(store, [b"{}"]), [key_hash(1)], [0])
    with pytest.raises(ValueError, match="has no record 2"):
        store.offset(CHUNK, info, 2)


def test_pieces_cover_an_object_whatever_their_size(objects: Objects) -> None:
    data = bytes(range(100))
    objects.put("x/y", data)
    for size in (1, 7, 50, 100, 101):
        assert data == b"".join(pieces(objects, "x/y", size=size))
        assert data[3:42] == b"".join(pieces(objects, "x/y", size=size, start=3, end=42))
    objects.put("x/empty", b"")
    assert list(pieces(objects, "x/empty", size=10)) == []


def test_pieces_of_two_versions_are_never_mixed(objects: Objects) -> None:
    objects.put("k", b"a" * 100)
    reading = pieces(objects, "k", size=40)
    assert next(reading) == b"a" * 40
    objects.put("k", b"b" * 100)
    with pytest.raises(TransientFailure, match="written anew"):
        next(reading)


def test_children_of_nothing_are_none(objects: Objects) -> None:
    assert list(objects.children("nothing/")) == []


def test_a_write_that_died_leaves_no_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = FolderObjects(tmp_path)
    objects.put("k/v", b"old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ingest_project.sinks.objects.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        objects.put("k/v", b"new")
    assert objects.get("k/v") == b"old"
    assert list(objects.children("k/")) == ["v"]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchBucket", TargetMissing),
        (403, "SignatureDoesNotMatch", PermanentFailure),
        (400, "InvalidRequest", PermanentFailure),
        (503, "SlowDown", Throttled),
        (500, "InternalError", TransientFailure),
        (409, "OperationAborted", TransientFailure),
    ],
)
def test_an_error_of_the_store_is_named_by_its_consequence(status: int, code: str, kind: type) -> None:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    with pytest.raises(IngestError, match="s3://b/k: ") as caught, translated("s3://b/k"):
        raise ClientError(answer, "PutObject")
    assert type(caught.value) is kind


def test_a_wrong_signature_is_permanent_and_a_closed_port_is_not(s3_endpoint: str) -> None:
    for endpoint, kind in ((s3_endpoint, PermanentFailure), ("http://127.0.0.1:1", TransientFailure)):
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="nobody",
            aws_secret_access_key="wrong",
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
        with pytest.raises(kind, match="s3://bucket/stages"):
            S3PartStore(client, "bucket", "stages").publish(CHUNK, ())
        client.close()
