"""RowSource on local files: row numbers over chunks, compression, faults, many kinds of file at once."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_project.core.errors import BadInput, SourceChanged
from ingest_project.core.layouts import Layout
from ingest_project.core.model import Chunk, KeySchema, Position, Rejection
from ingest_project.core.planning import Binding, from_json, plan, to_json
from ingest_project.formats.attribute_values import Value
from ingest_project.formats.csv_admission import BadValue, RowAdmission
from ingest_project.sources.dumps import list_files
from ingest_project.sources.rows import RowSource
from ingest_project_tests.formats.csv_files import hostile, rows_in

LAYOUT = Layout(name="prices", required=("id", "price"), optional=("note",))
KEYS = KeySchema(parts=(("id", "S"),))


def chunks_of(path: Path, text: bytes | None = None, *, slots: int = 1) -> Sequence[Chunk]:
    """The chunks that a plan makes of a file, after the plan was stored and read again."""
    if text is not None:
        path.write_bytes(text)
    index = RowSource([LAYOUT], block=1000, group=500).index(list_files(str(path))[0])
    bound = Binding(index=index, target="t", keys=KEYS)
    made = plan(None, [bound], entity="e", date="2026-01-01", slots=slots, min_chunk_bytes=1)
    return from_json(to_json(made)).chunks


def priced(row: Mapping[str, str]) -> Mapping[str, Value]:
    if not row["price"].isdigit():
        raise BadValue("price", f"{row['price']!r} is not a whole number")
    return {"id": row["id"], "price": int(row["price"])}


def validated(chunk: Chunk, after: Position | None = None) -> tuple[list[bytes], list[Rejection]]:
    admission, lines, letters = RowAdmission(chunk, priced), list[bytes](), list[Rejection]()
    for batch in RowSource([LAYOUT], block=1000, group=500).read(chunk, after or Position()):
        admitted = admission(batch)
        lines += admitted.lines
        letters += admitted.rejections
    return lines, letters


def test_bad_rows_are_numbered_as_in_the_file_whatever_chunk_they_are_in(tmp_path: Path) -> None:
    bad = range(100, 25_000, 1111)
    rows = [f'{n},{"x" if n in bad else n},"{"t" * 200}\n"' for n in range(25_000)]
    text = "\r\n".join(["id,price,note", *rows]).encode()
    chunks = chunks_of(tmp_path / "a.csv", text, slots=4)
    assert len(chunks) > 3
    found = [validated(chunk) for chunk in chunks]
    letters = [letter for _, some in found for letter in some]
    assert [f"row {n + 2}, column price: 'x' is not a whole number" for n in bad] == [
        letter.reason for letter in letters
    ]
    assert all(text.startswith(letter.raw, letter.offset) for letter in letters)
    assert 25_000 - len(bad) == sum(len(lines) for lines, _ in found)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_a_compressed_file_is_one_chunk_and_read_on_from_any_place(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    rows = [b'%d;"%d"' % (n, n) for n in range(3000)]
    (chunk,) = chunks_of(tmp_path / "a.csv", pack(b"\xef\xbb\xbfID;Price\r\n" + b"\r\n".join(rows)), slots=8)
    source = RowSource([LAYOUT], block=1000, group=500)
    batches = list(source.read(chunk, Position()))
    assert rows == [bytes(raw) for batch in batches for raw in batch.raws]
    middle = batches[len(batches) // 2].after
    rest = [bytes(raw) for batch in source.read(chunk, middle) for raw in batch.raws]
    assert rows[middle.ordinal :] == rest
    lines, letters = validated(chunk, middle)
    assert (len(rest), []) == (len(lines), letters)


def test_a_truncated_gzip_file_gives_its_rows_and_then_says_where(tmp_path: Path) -> None:
    rows = b"".join(b"%d,%d\n" % (n, n * n) for n in range(3000))
    packed = gzip.compress(b"id,price\n" + rows)
    (chunk,) = chunks_of(tmp_path / "a.csv", packed[: len(packed) // 2])
    assert 0 < chunk.records < 3000
    with pytest.raises(BadInput, match="the rest of the gzip stream"):
        validated(chunk)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "byte 0: expected a header; the file is empty"),
        (b"id,cost\n1,2\n", "byte 0: expected a header of layout prices; missing columns: price"),
        (b'id,price\n"1', "byte 9: expected a closing quote"),
        (b'{"Items":[]}', "byte 0: expected a header of layout prices; missing columns: id, price"),
    ],
)
def test_a_file_that_holds_no_row_is_planned_and_fails_alone_by_name(
    tmp_path: Path, text: bytes, told: str
) -> None:
    (chunk,) = chunks_of(tmp_path / "a.csv", text)
    with pytest.raises(BadInput, match=r"a\.csv") as caught:
        validated(chunk)
    assert str(caught.value).endswith(told)


def test_a_file_with_other_rows_under_the_same_etag_is_noticed(tmp_path: Path) -> None:
    (chunk,) = chunks_of(tmp_path / "a.csv", b"id,price\na,1\nb,2\n")
    with pytest.raises(SourceChanged, match="hold 2 records, planned were 3"):
        validated(replace(chunk, records=3))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_reading_goes_on_behind_any_batch_of_hostile_text(tmp_path: Path, data: st.DataObject) -> None:
    text = b"id,price\n" + data.draw(hostile(","))
    size = data.draw(st.integers(1, 30))
    source = RowSource([LAYOUT], block=size, group=size)
    path = tmp_path / "a.csv"
    path.write_bytes(text)
    index = source.index(list_files(str(path))[0])
    expected = rows_in(text, span=(9, index.end)).raws if index.records else []
    bound = Binding(index=index, target="t", keys=KEYS)
    for chunk in plan(None, [bound], entity="e", date="2026-01-01").chunks:
        good = Position()
        places = [good]
        found = list[bytes]()
        try:
            for batch in source.read(chunk, good):
                found += batch.raws
                places.append(batch.after)
        except BadInput:
            assert index.fault is not None
        assert expected == found
        after = data.draw(st.sampled_from(places))
        rest = list[bytes]()
        try:
            for batch in source.read(chunk, after):
                rest += batch.raws
        except BadInput:
            assert index.fault is not None
        assert expected[after.ordinal :] == rest


READER = """
import resource, sys
from ingest_project.core.layouts import Layout
from ingest_project.core.model import KeySchema, Position
from ingest_project.core.planning import Binding, plan
from ingest_project.formats.csv_admission import RowAdmission
from ingest_project.sources.dumps import list_files
from ingest_project.sources.rows import RowSource

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def rule(row):
    return row

source, idle = RowSource([Layout(name="x", required=("id", "price", "note"))]), peak()
index = source.index(list_files(sys.argv[1])[0])
bound = Binding(index=index, target="t", keys=KeySchema(parts=(("id", "S"),)))
(chunk,) = plan(None, [bound], entity="e", date="2026-01-01", slots=1).chunks
admission = RowAdmission(chunk, rule)
read = sum(len(admission(batch).lines) for batch in source.read(chunk, Position()))
print(index.records, read, (peak() - idle) // 1024)
"""


def test_a_file_of_40_mb_is_read_in_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.write(b"id,price,note\n")
        for first in range(0, 40_000, 1000):
            file.writelines(b'%d,1,"%b\n"\n' % (n, b"x" * 1000) for n in range(first, first + 1000))
    done = subprocess.run(
        [sys.executable, "-c", READER, str(path)], capture_output=True, text=True, timeout=120, check=True
    )
    records, read, grown = map(int, done.stdout.split())
    assert (records, read) == (40_000, 40_000)
    assert grown < 16
