"""Sample exports are the same everywhere, and what becomes of them is what their list says."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ingest_project.local.sample_rows import (
    EXPORTED_ORDERS,
    EXPORTS,
    GOOD,
    TWIN,
    write_exports,
    write_row_files,
)
from ingest_project_tests.entities.dropship.bench import Bench

FILES, ROWS = 12, 600


def digest(folder: Path) -> str:
    files = sorted(folder.glob("*.csv"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def test_the_same_seed_makes_the_same_files(tmp_path: Path) -> None:
    one, other = (write_row_files(tmp_path / name, files=FILES, rows=ROWS) for name in "ab")
    assert one == other
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    third = write_row_files(tmp_path / "c", files=FILES, rows=ROWS, seed=2)
    assert digest(tmp_path / "c") != digest(tmp_path / "a")
    assert len({file.kind for file in third}) == 6


def test_every_sample_has_the_fate_that_its_list_says(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "bench")
    good = 0
    for file in write_row_files(tmp_path / "files", files=FILES, rows=ROWS):
        content = (tmp_path / "files" / file.name).read_bytes()
        refused = bench.load("2026-11-02", file.name, content)
        rows = {row.uri: row for row in bench.ledger.status() if row.stage == "validated"}
        (uri,) = [uri for uri in rows if uri.endswith(f"/{file.name}")]
        counts, failed = rows[uri].counts, rows[uri].state == "failed"
        assert (file.name, counts.sent, len(refused), failed) == (file.name, file.rows, file.bad, file.broken)
        good += file.good if file.kind != TWIN else 0
    assert sum(map(len, bench.shelf.stock.values())) == good
    assert {GOOD, TWIN} < {file.kind for file in write_row_files(tmp_path / "x", files=FILES, rows=60)}


def test_the_exports_of_the_demo_have_the_rows_that_they_announce(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "bench")
    for sample, path in zip(EXPORTS, write_exports(tmp_path / "files"), strict=True):
        refused = bench.load("2026-11-02", path.name, path.read_bytes())
        assert (sample.name, sample.rejected) == (path.name, len(refused))
    read = sum(row.counts.sent for row in bench.ledger.status() if row.stage == "validated")
    assert sum(sample.read for sample in EXPORTS) == read
    report = bench.post("2026-11-02")
    assert (EXPORTED_ORDERS, EXPORTED_ORDERS) == (report.counts.written, len(bench.books["orders"]))
