"""DumpSource on local files: ranges, resume, compression, changed files, faults."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import xxhash
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_project.core.errors import (
    BadInput,
    ConfigurationError,
    PermanentFailure,
    SourceChanged,
    TargetMissing,
)
from ingest_project.core.model import Position
from ingest_project.sources.dumps import DumpSource, list_files
from ingest_project_tests.formats.strategies import FILES
from ingest_project_tests.formats.streams import Oracle
from ingest_project_tests.sources.dump_files import chunk_of, indexed, records

Compress = Callable[[bytes], bytes]
COMPRESSIONS = pytest.mark.parametrize(
    ("kind", "compress"), [("", bytes), ("gzip", gzip.compress), ("zstd", zstandard.compress)]
)


def dump(count: int, seed: int = 1) -> bytes:
    rng = random.Random(seed)
    items = [b'{"id":"%d","text":"%s"}' % (n, b"x" * rng.randrange(2000)) for n in range(count)]
    return b'{"Items":[' + b",".join(items) + b'],"Count":%d}' % count


@COMPRESSIONS
def test_any_two_marks_bound_a_chunk_with_the_records_between_them(
    tmp_path: Path, kind: str, compress: Compress
) -> None:
    data = dump(5000)
    index = indexed(tmp_path / "a.json", compress(data))
    assert (kind, 5000, len(data)) == (index.compression, index.records, index.length)
    whole, fault = records(chunk_of(index))
    assert (5000, None) == (len(whole), fault)
    assert all(data[at : at + len(raw)] == raw for at, raw in whole)
    pairs = [(0, 1), (1, 3), (2, None), (2, 4), (len(index.marks) - 1, None)]
    for low, high in pairs:
        last = index.records if high is None else index.marks[high].records
        assert whole[index.marks[low].records : last] == records(chunk_of(index, low, high))[0]


@COMPRESSIONS
def test_reading_goes_on_behind_every_batch(tmp_path: Path, kind: str, compress: Compress) -> None:
    source = DumpSource(group=2000)
    index = indexed(tmp_path / "a.json", compress(dump(60)), source)
    chunk = chunk_of(index)
    whole = records(chunk, source=source)[0]
    for batch in DumpSource(group=2000).read(chunk, Position()):
        rest, fault = records(chunk, batch.after, source)
        assert (whole[batch.after.ordinal :], None) == (rest, fault)


def test_reading_goes_on_at_any_ordinal_with_or_without_a_token(tmp_path: Path) -> None:
    source = DumpSource(group=1000)
    chunk = chunk_of(indexed(tmp_path / "a.json", dump(30), source))
    whole = records(chunk, source=source)[0]
    token = next(iter(source.read(chunk, Position()))).after
    for ordinal in range(31):
        assert whole[ordinal:] == records(chunk, Position(ordinal), source)[0]
        if ordinal >= token.ordinal:
            assert whole[ordinal:] == records(chunk, Position(ordinal, token.token), source)[0]


@given(
    file=FILES,
    block=st.integers(1, 64),
    group=st.integers(1, 100),
    compress=st.sampled_from([bytes, gzip.compress, zstandard.compress]),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_random_file_is_read_as_the_plain_reader_reads_it(
    tmp_path: Path, file: tuple[str, list[str]], block: int, group: int, compress: Compress
) -> None:
    data = file[0].encode()
    source = DumpSource(block=block, group=group)
    index = indexed(tmp_path / "a.json", compress(data), source)
    assert (Oracle.read(data)[0], None) == records(chunk_of(index), source=source)


def fingerprint(data: bytes) -> str:
    return f"xxh3-128:{xxhash.xxh3_128_hexdigest(data)}"


def test_the_fingerprint_covers_every_stored_byte_also_behind_a_fault(tmp_path: Path) -> None:
    for data in (dump(10), b'[{"a":1}} ' + b"x" * 3_000_000, b"", gzip.compress(dump(3000))[:-4]):
        assert fingerprint(data) == indexed(tmp_path / "a", data).fingerprint


def test_the_fingerprint_counts_each_byte_once_when_the_file_is_read_twice(tmp_path: Path) -> None:
    data = b'{"id":"1","data":[{"x":1}]}\n' * 3 + b'{"id":"2"}'
    index = indexed(tmp_path / "a.json", data)
    assert (4, "lines", fingerprint(data)) == (index.records, index.shape, index.fingerprint)


def test_a_fault_comes_behind_the_last_good_record(tmp_path: Path) -> None:
    data = dump(3000)[:-100]
    index = indexed(tmp_path / "a.json", data)
    found, fault = records(chunk_of(index, 1))
    assert index.records - index.marks[1].records == len(found)
    assert fault is not None
    assert (index.file.uri, len(data)) == (fault.uri, fault.offset)
    assert str(fault).startswith(f"{index.file.uri}: byte {len(data)}: expected ")
    assert None is records(chunk_of(index, 0, 1))[1]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_truncated_compressed_file_gives_its_records_and_then_its_fault(
    tmp_path: Path, compress: Compress
) -> None:
    stored = compress(dump(4000))
    index = indexed(tmp_path / "a", stored[: len(stored) // 2])
    found, fault = records(chunk_of(index))
    assert 1000 < index.records == len(found)
    assert fault is not None
    assert index.length == fault.offset
    assert "the rest of the" in fault.expected


def test_a_file_that_was_written_again_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    index = indexed(path, dump(20))
    path.write_bytes(dump(20, seed=2))
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceChanged, match=r"a\.json"):
        records(chunk_of(index))
    with pytest.raises(SourceChanged):
        DumpSource().index(index.file)


def test_a_file_that_changes_under_the_reader_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    index = indexed(path, dump(5000))
    reading = DumpSource(block=1 << 16).read(chunk_of(index), Position())
    next(reading)
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceChanged):
        list(reading)


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    index = indexed(tmp_path / "a.json", dump(2))
    (tmp_path / "a.json").unlink()
    with pytest.raises(SourceChanged, match="gone"):
        records(chunk_of(index))


def test_another_number_of_records_than_planned_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    chunk = chunk_of(indexed(tmp_path / "a.json", dump(20)))
    with pytest.raises(SourceChanged, match="hold 20 records, planned were 21"):
        records(replace(chunk, records=21))


def test_a_chunk_that_ends_inside_a_record_is_a_fault(tmp_path: Path) -> None:
    from dataclasses import replace

    chunk = chunk_of(indexed(tmp_path / "a.json", b'[{"a":1},{"a":2}]'))
    torn = replace(chunk, range=replace(chunk.range, end=14))
    found, fault = records(torn)
    assert [(1, b'{"a":1}')] == found
    assert isinstance(fault, BadInput)
    assert 14 == fault.offset


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    from dataclasses import replace

    index = indexed(tmp_path / "a.json", b"[]")
    folder = replace(index.file, uri=tmp_path.as_uri())
    with pytest.raises((PermanentFailure, SourceChanged)):
        DumpSource().index(folder)


def test_an_address_that_nobody_serves_is_a_configuration_error(tmp_path: Path) -> None:
    for address in ("s3://bucket/a.json", "ftp://host/a.json"):
        with pytest.raises(ConfigurationError, match=r"a\.json"):
            list_files(address)


def test_files_are_listed_by_pattern_in_the_order_of_their_uris(tmp_path: Path) -> None:
    for name in (
        "b-dump.json",
        "a dump.json",
        ".hidden-dump.json",
        "sub/c-dump.json",
        "notes.txt",
        ".git/x-dump.json",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("[]")
    found = list_files(str(tmp_path), "*dump.json")
    assert ["a%20dump.json", "b-dump.json", "sub/c-dump.json"] == [
        file.uri.removeprefix(tmp_path.as_uri() + "/") for file in found
    ]
    assert 2 == len(list_files(str(tmp_path), "*dump.json", recursive=False))
    assert ["notes.txt"] == [
        file.uri.rsplit("/", 1)[1] for file in list_files(str(tmp_path / "notes.txt"), "*.json")
    ]
    assert 2 == indexed(tmp_path / "a dump.json", b"[1,2]").records
    with pytest.raises(TargetMissing, match="nothing"):
        list_files(str(tmp_path / "nothing"))


def test_an_etag_of_a_local_file_is_its_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"[]")
    os.utime(path, ns=(5, 7))
    file = list_files(str(path))[0]
    assert ("2-7", 2, "UTC") == (file.etag, file.size, file.modified.tzname())
