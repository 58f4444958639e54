"""Estimates against what the files really bring."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from random import Random

import pytest

from ingest_project.core.entity import DEFAULT_KEYS
from ingest_project.core.errors import TargetMissing
from ingest_project.core.forecasting import Interval
from ingest_project.core.model import KeySchema
from ingest_project.entities.messages.spec import SPEC
from ingest_project.resources.estimating import Estimate, Estimator, write_units
from ingest_project.resources.sampling import SampledSource
from ingest_project.sources.dumps import DumpSource, Stores, list_files


def ask(table: str) -> KeySchema:
    return DEFAULT_KEYS


def missing(table: str) -> KeySchema:
    raise TargetMissing(f"no table {table}")


def estimate(folder: Path, **words: object) -> Estimate:
    whole = words.pop("whole", None)
    source = SampledSource(DumpSource(), Stores(None, 1 << 18), whole=whole)
    made = Estimator(**{"spec": SPEC, "source": source, "ask": ask, **words})
    return made.estimate(list_files(str(folder)))


def write(folder: Path, name: str, count: int, size: int = 100) -> bytes:
    lines = [json.dumps({"id": f"r{number:07d}", "text": "x" * size}) for number in range(count)]
    text = "".join(f"{line}\n" for line in lines).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return text


def test_items_of_one_size_are_estimated_to_the_byte(tmp_path: Path) -> None:
    write(tmp_path, "aaa-dump.jsonl", 10_000)
    write(tmp_path, "bbb-dump.jsonl.gz", 500, size=3_000)
    found = estimate(tmp_path)
    first, second = found.files
    line = len('{"Item":{"id":{"S":"r0000000"},"text":{"S":""}}}') + 1
    assert (10_000, 10_000, 10_000 * (line + 100)) == (
        first.volume.items,
        first.volume.write_units,
        first.volume.text_bytes,
    )
    # 2 + 8 + 4 + 3000 bytes are three write units.
    assert (500, 1_500, 500 * (line + 3_000)) == (
        second.volume.items,
        second.volume.write_units,
        second.volume.text_bytes,
    )
    assert 10_500 == found.volume.items
    assert 0 < found.volume.stored_bytes < found.volume.text_bytes / 2
    assert ("aaa", "bbb", ()) == (first.table, second.table, found.notes)


def test_a_sample_is_taken_from_all_over_a_large_file(tmp_path: Path) -> None:
    lines = [
        {"id": f"r{number:06d}", "text": "x" * (100 if number < 6_000 else 2_000)} for number in range(8_000)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "aaa-dump.jsonl").write_text(text)
    found = estimate(tmp_path).volume
    right = 6_000 + 2_000 * 2
    assert found.write_units > 1.3 * 6_000
    assert found.write_units < 1.8 * right


def test_rejected_records_are_no_items_and_broken_files_say_so(tmp_path: Path) -> None:
    (tmp_path / "aaa-dump.jsonl").write_text('{"id":"1"}\n{"no":"key"}\n{"id":"3"}\n{"id":"4"}\n')
    (tmp_path / "bbb-dump.json").write_text('{"Items":[{"id":"1"},{"id"')
    (tmp_path / "ccc-dump.json").write_text("[]")
    first, second, third = estimate(tmp_path).files
    assert (4, 3, 0.25) == (first.records, first.volume.items, first.rejected_share)
    assert (1, 1) == (second.records, second.volume.items)
    assert (0, 0) == (third.records, third.volume.items)


def test_a_key_that_nobody_tells_is_assumed_and_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "aaa-dump.jsonl").write_text('{"id":7}\n')
    found = estimate(tmp_path, ask=missing)
    assert ("The key of aaa was taken to be id:N: no table aaa",) == found.notes
    assert 1 == found.volume.items
    given = estimate(tmp_path, ask=missing, key=KeySchema(parts=(("id", "N"),)))
    assert () == given.notes


@pytest.mark.parametrize(
    ("size", "units"), [(0, 1), (1_024 - 3, 1), (1_024 - 2, 2), (2_048 - 3, 2), (2_048 - 2, 3)]
)
def test_a_write_unit_is_a_kib_begun(size: int, units: int) -> None:
    line = b'{"Item":{"id":{"S":"%b"},"n":{"NULL":true}}}' % (b"x" * max(0, size - 1))
    # Names 2 + 1, the null 1 byte.
    assert units == write_units(line)


DRAWS, ROWS = 100, 16_000


def of(number: int, size: int) -> dict[str, object]:
    return {"id": f"r{number:07d}", "text": "x" * size}


def drawn(folder: Path, age: int) -> Interval:
    """The rows of the one file there. Where its spots lie is drawn by the etag, which it has of its time."""
    (path,) = folder.iterdir()
    os.utime(path, (age, age))
    source = SampledSource(DumpSource(), Stores(None, 1 << 18), whole=1 << 20)
    (file,) = list_files(str(folder))
    source.index(file)
    return source.rows[file.uri]


@pytest.mark.parametrize("shape", ["lines", "array", "wrapper"])
@pytest.mark.parametrize("kind", ["even", "growing", "mixed", "in stretches"])
def test_the_rows_of_a_large_file_lie_in_the_interval_of_its_sample_four_times_in_five(
    tmp_path: Path, shape: str, kind: str
) -> None:
    rng = Random(f"{shape}{kind}")
    sizes = {
        "even": lambda at: 250,
        "growing": lambda at: 100 + at // 50,
        "mixed": lambda at: rng.choice((50, 500)),
        "in stretches": lambda at: 60 if at // 1000 % 3 else 600,
    }
    records = [json.dumps(of(at, sizes[kind](at))) for at in range(ROWS)]
    text = {"lines": "\n".join(records), "array": f"[{', '.join(records)}]"}
    text["wrapper"] = f'{{"Count": 3, "Items": [{",".join(records)}]}}'
    (tmp_path / "aaa-dump.json").write_text(text[shape])
    found = [drawn(tmp_path, age) for age in range(DRAWS)]
    assert sum(rows.low <= ROWS <= rows.high for rows in found) >= 0.8 * DRAWS
    widest = 2.5 if kind == "in stretches" else 1.3
    assert max(rows.high / rows.low for rows in found) < widest


def test_the_size_of_a_large_file_is_scaled_up_from_its_sample(tmp_path: Path) -> None:
    lines = [json.dumps(of(at, 100 + at // 50)) for at in range(ROWS)]
    (tmp_path / "aaa-dump.json").write_text("\n".join(lines))
    exact = estimate(tmp_path).volume
    (found,) = estimate(tmp_path, whole=1 << 20).files
    assert exact.text_bytes == pytest.approx(found.volume.text_bytes, rel=0.15)


def test_a_large_compressed_file_is_known_from_its_beginning(tmp_path: Path) -> None:
    rng = Random(5)
    lines = "".join(json.dumps({"id": f"{rng.getrandbits(128):x}", "n": at}) + "\n" for at in range(60_000))
    (tmp_path / "aaa-dump.json.gz").write_bytes(gzip.compress(lines.encode()))
    (found,) = estimate(tmp_path, whole=1 << 18).files
    assert found.rows.low <= 60_000 <= found.rows.high
    assert found.rows.high > 1.5 * found.rows.low
    assert "" == found.error


def test_a_small_file_is_counted(tmp_path: Path) -> None:
    (tmp_path / "aaa-dump.jsonl").write_text('{"id":"1"}\n{"id":"2"}\n')
    assert Interval.exactly(2) == estimate(tmp_path, whole=1 << 20).rows
