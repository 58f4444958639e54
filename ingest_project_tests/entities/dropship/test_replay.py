"""Refused CSV rows once more: corrected in an export, read under their own file's header and encoding."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from ingest_project import local
from ingest_project.entities.dropship.contract import KEYS
from ingest_project.entities.dropship.spec import SPEC
from ingest_project.ledgers.rejections import OPEN, Selection
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.deployments import load_settings
from ingest_project.resources.importing import ImportOptions, find_files, import_files
from ingest_project.resources.replaying.letters import export, read_corrections
from ingest_project.resources.replaying.report import ReplayReport
from ingest_project.resources.replaying.work import ReplayOptions, replay
from ingest_project.resources.replaying.worlds import Worlds
from ingest_project_tests.entities.dropship.rows import file_of, row

pytestmark = pytest.mark.servers

ROWS = [
    row(Kode_Pesanan="PS-1", Kode_Transaksi="T1", Nama_Produk="café"),
    row(Kode_Pesanan="PS-2", Kode_Transaksi="T2", Qty="dua", Nama_Produk="café, kopi"),
    row(Kode_Pesanan="PS-3", Kode_Transaksi="T3"),
    row(Kode_Pesanan="PS-4", Kode_Transaksi="T4", Qty="tiga"),
    row(Kode_Pesanan="PS-5", Kode_Transaksi="T5", Qty="lima", Nama_Produk="plain"),
    row(Kode_Pesanan="PS-6", Kode_Transaksi="T6", Qty="enam"),
]


def test_a_corrected_row_of_a_latin_1_file_arrives_and_another_keeps_its_row_number(
    services: local.Stack, dynamodb: Any, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**services.variables, "INGEST_HOME": str(home)}.items():
        monkeypatch.setenv(name, value)
    table = f"replayed-{uuid.uuid4().hex[:8]}"
    path = tmp_path / "orders.csv"
    path.write_bytes(file_of(ROWS, delimiter=";", encoding="latin-1"))
    settings = load_settings()
    options = ImportOptions(table=table, with_index=False, key=KEYS, create_table=True)
    report = import_files(SPEC, find_files([str(path)], settings), options, settings=settings)
    assert (6, 2, 4) == (report.read, report.written, report.rejected)
    corrected = correct(
        settings.ledger_url, tmp_path / "bad.jsonl", {"dua": "2", "lima": "5", "plain": "café", "enam": "€"}
    )
    worlds = Worlds(settings=settings, spec=lambda name: SPEC, owner="test")
    done: ReplayReport = replay(worlds, ReplayOptions(corrections=read_corrections(corrected), by="me"))
    assert (2, 2) == (done.taken, done.loaded)
    in_row, in_encoding = sorted(done.still_refused, reverse=True)
    assert "row 5" in in_row
    assert "'€' is not in" in in_encoding
    items = dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    found = {item["kode_pesanan"]["S"]: item for item in items}
    assert {"PS-1", "PS-2", "PS-3", "PS-5"} == set(found)
    assert {"S": "café"} == found["PS-5"]["nama_produk"]
    assert [{"S": "café, kopi"}, {"N": "2"}] == [found["PS-2"]["nama_produk"], found["PS-2"]["qty"]]


def correct(url: str, path: Path, change: dict[str, str]) -> Path:
    """Export what is open and edit the rows."""
    ledger = SqlLedger(url)
    export(ledger.dead_letters.each(Selection(states=(OPEN,))), path)
    ledger.close()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        for old, new in change.items():
            line["record"] = line["record"].replace(old, new)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
