"""Memory of `ingest load`: under 120 MB for any file, measured on a process against a null sink."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ingest_project_tests.cli.processes import start, variables_of

LIMIT = 120 * 2**20
FILE_BYTES = 100 * 2**20


def write_wrapped(path: Path, size: int) -> int:
    """A ``{"Items":[...]}`` file of about ``size`` bytes; how many records it has."""
    number = 0
    with path.open("wb") as file:
        file.write(b'{"Items":[')
        while file.tell() < size:
            item = {
                "id": f"item-{number:09d}",
                "n": number / 4,
                "tags": ["a", "b"],
                "body": "lorem ipsum " * 80,
            }
            file.write((b"," if number else b"") + json.dumps(item).encode())
            number += 1
        file.write(b"]}")
    return number


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_load_of_100_mb_stays_under_120_mb(
    tmp_path: Path, home: Path, null_sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dump = tmp_path / "big.json"
    count = write_wrapped(dump, FILE_BYTES)
    load = start(["load", str(dump), "--table", "null", "--json"], variables_of(null_sink, home))
    out, err = load.communicate(timeout=500)
    assert load.returncode == 0, err
    report = json.loads(out)
    assert (count, count) == (report["read"], report["written"])
    peak = report["peak_rss_bytes"]
    with capsys.disabled():
        rate = report["items_per_second"]
        sys.stdout.write(f"\n100 MB, {count:,} records: peak {peak / 2**20:.0f} MB, {rate:,.0f} items/s\n")
    assert peak < LIMIT
