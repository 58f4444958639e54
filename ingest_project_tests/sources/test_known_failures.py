"""What earlier tools got wrong while reading dumps (domain/messages.md, known failures 1, 2, 5 and 6)."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from ingest_project.core.model import Position
from ingest_project.sources.dumps import DumpSource
from ingest_project_tests.sources.dump_files import chunk_of, indexed, records

ITEM = b'{"id":"%09d","text":"' + b"lorem ipsum " * 80 + b'"}'
COUNT = 200_000
READER = """
import resource, sys
from ingest_project.core.model import Chunk, FileRange, KeySchema, Position
from ingest_project.sources.dumps import DumpSource, list_files

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

source, idle = DumpSource(), peak()
index = source.index(list_files(sys.argv[1])[0])
span = FileRange(uri=index.file.uri, etag=index.file.etag, start=index.marks[0].offset, end=index.end)
keys = KeySchema(parts=(("id", "S"),))
chunk = Chunk(entity="e", date="2026-01-01", slot=0, target="t", keys=keys, range=span,
              shape=index.shape, compression=index.compression, records=index.records)
read = sum(len(batch.raws) for batch in source.read(chunk, Position()))
print(index.records, read, (peak() - idle) // 1024)
"""


def write_large(path: Path, head: bytes, glue: bytes, tail: bytes) -> None:
    with path.open("wb") as file:
        file.write(head)
        for start in range(0, COUNT, 1000):
            file.write(glue if start else b"")
            file.write(glue.join(ITEM % n for n in range(start, start + 1000)))
        file.write(tail)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "glue", "tail"),
    [
        (b'{"Items":[', b",", b'],"Count":1}'),
        (b'{\n  "Count": 1,\n  "data": [\n    ', b",\n    ", b"\n  ]\n}\n"),
        (b"[", b",", b"]"),
        (b"", b"\n", b"\n"),
    ],
    ids=["Items", "pretty data", "array", "lines"],
)
def test_failure_1_a_file_of_200_mb_is_read_in_constant_memory_in_every_wrapper(
    tmp_path: Path, head: bytes, glue: bytes, tail: bytes
) -> None:
    path = tmp_path / "messages-dump.json"
    write_large(path, head, glue, tail)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    planned, read, grown = map(int, done.stdout.split())
    assert (COUNT, COUNT) == (planned, read)
    assert grown < 32


def test_failure_2_a_truncated_file_keeps_its_records_and_names_the_byte(tmp_path: Path) -> None:
    whole = b'{"Items":[' + b",".join(ITEM % n for n in range(3000)) + b"]}"
    for lost in (1, 2, 3, 500, len(whole) // 2):
        index = indexed(tmp_path / "messages-dump.json", whole[:-lost])
        found, fault = records(chunk_of(index))
        assert fault is not None
        assert len(whole) - lost == fault.offset
        assert [ITEM % n for n in range(len(found))] == [raw for _, raw in found]
        assert index.records == len(found) >= 3000 - 1 - lost // len(ITEM % 0) - 1


def test_failure_5_json_lines_and_exports_give_their_items(tmp_path: Path) -> None:
    lines = [b'{"id":"%d"}' % n for n in range(10)]
    exported = [b'{"Item":{"id":{"S":"%d"}}}' % n for n in range(10)]
    for shape, rows in (("lines", lines), ("export", exported)):
        for name, data in (
            ("a.json", b"\n".join(rows)),
            ("a.json.gz", gzip.compress(b"\n".join(rows) + b"\n")),
        ):
            index = indexed(tmp_path / name, data)
            assert (shape, 10) == (index.shape, index.records)
            assert rows == [raw for _, raw in records(chunk_of(index))[0]]


def test_failure_5_a_file_without_any_value_is_a_fault_and_an_empty_list_is_none(tmp_path: Path) -> None:
    assert indexed(tmp_path / "a.json", b"").fault is not None
    assert indexed(tmp_path / "b.json", b"\n\n").fault is not None
    assert indexed(tmp_path / "c.json", b"[]").fault is None
    assert indexed(tmp_path / "d.json", b'{"Items":[]}').fault is None


def test_failure_6_a_fault_in_the_middle_delivers_nothing_twice(tmp_path: Path) -> None:
    rows = [ITEM % n for n in range(3000)]
    data = b"[" + b",".join([*rows[:2000], b'{"id": oops}', *rows[2000:]]) + b"]"
    index = indexed(tmp_path / "messages-dump.json", data)
    chunk = chunk_of(index)
    found, fault = records(chunk)
    assert rows[:2000] == [raw for _, raw in found]
    assert fault is not None
    assert data.index(b"oops") == fault.offset
    middle = next(batch.after for batch in DumpSource().read(chunk, Position()) if batch.after.ordinal > 900)
    again, fault_again = records(chunk, middle)
    assert rows[middle.ordinal : 2000] == [raw for _, raw in again]
    assert fault_again is not None
    assert fault.offset == fault_again.offset
