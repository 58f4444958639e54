"""Templates know the rows of the warehouse as they usually come, whatever values they have."""

from __future__ import annotations

import pytest

from ingest_project.core.fields import HeldFields
from ingest_project.core.paging import Field
from ingest_project.entities.wms.admission import admission
from ingest_project.entities.wms.contract import Contract, review
from ingest_project.entities.wms.known import ENTITIES
from ingest_project.entities.wms.templates import row_template
from ingest_project.testing.wms_fields import fields_of
from ingest_project.testing.wms_values import value_of
from ingest_project_tests.entities.wms.oracle import digits, expected, read
from ingest_project_tests.entities.wms.rows import KEYS, batch, chunk

BASE = "https://wms.example.com/wms/lgfapi/v10/entity"
OWN = {"id": "{at}", "mod_ts": '"2025-07-03T10:15:00.{at:06d}-03:00"'}


def simulated(entity: str, count: int) -> list[bytes]:
    """Rows with values of every kind: null, empty, long, with letters that must be escaped."""
    return [
        (
            "{"
            + ",".join(
                f'"{field.name}":'
                + (OWN[field.name].format(at=at) if field.name in OWN else value_of(field, f"{at}", BASE))
                for field in fields_of(entity)
            )
            + "}"
        ).encode()
        for at in range(count)
    ]


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_row_of_the_simulated_warehouse_is_known_and_equals_the_oracle(entity: str) -> None:
    types = {field.name: field.kind for field in fields_of(entity)}
    book = HeldFields()
    review(book, f"wms.{entity}", [Field(name=name, type=kind) for name, kind in types.items()])
    contract = Contract(f"wms.{entity}", book)
    layout = tuple((name, contract.first(name)) for name in types)
    raws = simulated(entity, 60)
    for pure in (True, False):
        template = row_template(layout, KEYS, pure)
        assert template is not None
        rows = [raw for raw in raws if not pure or b"\\" not in raw]
        assert [] == [raw for raw in rows if template.match(raw) is None]
    admitted = admission(chunk(f"wms.{entity}"), book)(batch(raws))
    for raw, line in zip(raws, admitted.lines, strict=True):
        assert digits(expected(raw, types)) == digits(read(line, types))


def test_there_is_no_template_without_id_and_moment_or_for_another_key() -> None:
    assert row_template((("id", "integer"), ("zip", "text")), KEYS, True) is None
    assert row_template((("id", "text"), ("mod_ts", "timestamp")), KEYS, True) is None
