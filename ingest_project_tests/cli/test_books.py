"""`ingest load --entity dropship`: lines, and the books that are made of them in the same call."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest_project.cli import run
from ingest_project.entities.dropship.shelves import TableShelf
from ingest_project.ledgers.sql import SqlLedger
from ingest_project_tests.cli.conftest import Ingest
from ingest_project_tests.entities.dropship.rows import file_of, row
from ingest_project_tests.entities.dropship.test_related import workbook
from ingest_project_tests.faults.mortal import Fate

pytestmark = pytest.mark.servers

MAKE = ("--create-table", "--no-index")
MOMENTS = 5
ROWS = [
    row(Kode_Pesanan=f"PS-{order}", SKU=sku, Kode_Invoice_Channel=f"INV{order}")
    for order in range(5)
    for sku in ("A", "B")
]


def books(dynamodb: Any, stem: str, kind: str) -> dict[str, Mapping[str, Any]]:
    items = dynamodb.scan(TableName=f"{stem}-{kind}", ConsistentRead=True)["Items"]
    return {_key(item): item for item in items}


def _key(item: Mapping[str, Any]) -> str:
    return str(item["kode_pesanan"]["S"] if "kode_pesanan" in item else item["kode_invoice_channel"]["S"])


def load(ingest: Ingest, path: Path, stem: str, *more: str) -> Any:
    return ingest("load", path, "--entity", "dropship", "--table", f"{stem}-lines", *MAKE, *more)


def test_orders_and_journal_are_made_behind_the_lines_and_follow_a_later_file(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table_name: str
) -> None:
    (tmp_path / "a.csv").write_bytes(file_of([row(SKU="A"), row(Kode_Pesanan="PS-201")]))
    first = load(ingest, tmp_path / "a.csv", table_name)
    assert first.status == 0, first.err
    assert "orders and journal: 2 ids, 2 written, 0 unchanged" in first.out
    (tmp_path / "b.csv").write_bytes(file_of([row(SKU="B", Total_Harga="8.5")]))
    assert load(ingest, tmp_path / "b.csv", table_name).status == 0
    orders, journal = books(dynamodb, table_name, "orders"), books(dynamodb, table_name, "journal")
    assert {"PS-200", "PS-201"} == orders.keys() == journal.keys()
    assert Decimal("40") == Decimal(orders["PS-200"]["total_harga"]["N"])
    assert journal["PS-200"]["debit"] == journal["PS-200"]["credit"]
    again = load(ingest, tmp_path / "b.csv", table_name)
    assert (0, True) == (again.status, "nothing was sent" in again.out)


def test_again_makes_the_books_anew(ingest: Ingest, tmp_path: Path, dynamodb: Any, table_name: str) -> None:
    (tmp_path / "a.csv").write_bytes(file_of([row()]))
    assert load(ingest, tmp_path / "a.csv", table_name).status == 0
    dynamodb.delete_item(TableName=f"{table_name}-orders", Key={"kode_pesanan": {"S": "PS-200"}})
    done = load(ingest, tmp_path / "a.csv", table_name, "--again", "--json")
    assert ["orders and journal: 1 ids, 1 written, 0 unchanged, 0 still to come, 0 refused"] == done.report[
        "notes"
    ]
    assert {"PS-200"} == books(dynamodb, table_name, "orders").keys()


def test_books_without_their_tables_leave_the_lines_loaded_and_say_so(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table_name: str
) -> None:
    (tmp_path / "a.csv").write_bytes(file_of([row()]))
    schema = [("kode_pesanan", "HASH"), ("line", "RANGE")]
    dynamodb.create_table(
        TableName=f"{table_name}-lines",
        KeySchema=[{"AttributeName": name, "KeyType": role} for name, role in schema],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in schema],
        BillingMode="PAY_PER_REQUEST",
    )
    call = ("load", tmp_path / "a.csv", "--entity", "dropship", "--table", f"{table_name}-lines")
    done = ingest(*call, "--no-index")
    assert 1 == done.status
    assert "Records are loaded, but not all that is made of them: table" in done.out
    assert 1 == dynamodb.scan(TableName=f"{table_name}-lines")["Count"]
    # The parts are kept for the call that may make the tables.
    assert 0 == ingest(*call, *MAKE).status
    assert {"PS-200"} == books(dynamodb, table_name, "orders").keys()


def test_an_income_workbook_is_set_beside_the_lines_that_were_loaded(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table_name: str
) -> None:
    (tmp_path / "a.csv").write_bytes(file_of(ROWS))
    assert load(ingest, tmp_path / "a.csv", table_name).status == 0
    book = workbook(tmp_path / "income.xlsx", [[1, "'INV3", "2026-11-02", 5, 60.25]])
    income = ("--entity", "dropship_income", "--table", f"{table_name}-income")
    done = ingest("load", book, *income, *MAKE)
    assert done.status == 0, done.out
    assert "settlements: 1 ids, 1 written" in done.out
    settled = books(dynamodb, table_name, "settlements")
    assert {"INV3"} == settled.keys()
    assert ("settled", "2.75") == (settled["INV3"]["state"]["S"], settled["INV3"]["kept"]["N"])


def killed(arguments: list[str], journal: Path, step: int) -> bool:
    """The command in a child that dies at this step of its books; whether it did not get to its end."""
    child = os.fork()
    if child == 0:
        fate = Fate(journal, step)
        for name in ("lines", "books", "put"):
            fate.request(TableShelf, name, name)
        fate.call(SqlLedger, "seal")
        os._exit(run(arguments))
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.slow
def test_a_call_killed_anywhere_in_its_books_is_ended_by_the_next_one(
    ingest: Ingest, tmp_path: Path, dynamodb: Any, table_name: str
) -> None:
    path, journal = tmp_path / "a.csv", tmp_path / "journal"
    path.write_bytes(file_of(ROWS))
    assert not killed(_words(path, f"{table_name}-whole"), journal, 0)
    clean = {kind: books(dynamodb, f"{table_name}-whole", kind) for kind in ("orders", "journal", "invoices")}
    assert [5, 5, 5] == [len(items) for items in clean.values()]
    steps = 2 * len(journal.read_text().splitlines())
    for number in range(MOMENTS):
        stem, moment = f"{table_name}-{number}", 5 + (steps - 6) * number // (MOMENTS - 1)
        assert killed(_words(path, stem), journal, moment)
        done = ingest(*_words(path, stem))
        assert done.status == 0, done.out
        assert clean == {kind: books(dynamodb, stem, kind) for kind in clean}


def _words(path: Path, stem: str) -> list[str]:
    return ["load", str(path), "--entity", "dropship", "--table", f"{stem}-lines", *MAKE]
