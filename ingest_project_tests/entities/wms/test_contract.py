"""The contract grows with a warning, and a changed type waits for a person whose choice is then kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest_project.core.fields import (
    ACCEPT,
    ASIDE,
    ASKED,
    DESCRIBED,
    EXTENDED,
    REFUSE,
    FieldBook,
    HeldFields,
    KnownField,
)
from ingest_project.core.paging import Field
from ingest_project.entities.wms import contract as contracts
from ingest_project.entities.wms.admission import admission
from ingest_project.entities.wms.contract import Contract, Review, review
from ingest_project.entities.wms.kinds import (
    BOOLEAN,
    DATE,
    DECIMAL,
    INTEGER,
    OBJECT,
    RELATION,
    SET,
    TEXT,
    TIMESTAMP,
)
from ingest_project.entities.wms.known import KNOWN
from ingest_project_tests.entities.wms.rows import ENTITY, TYPES, batch, book, chunk, described, text


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("wave_id", '{"id":7,"key":"W7","url":"u"}', RELATION),
        ("wave_id", "7", RELATION),
        ("wave_id", '"W7"', TEXT),
        ("wave_key", '"W7"', TEXT),
        ("moved_qty", '"12.0000"', DECIMAL),
        ("moved_qty", "12", DECIMAL),
        ("moved_ts", '"2025-07-03T10:15:00-03:00"', TIMESTAMP),
        ("moved_flg", "true", BOOLEAN),
        ("moved_flg", '"Y"', TEXT),
        ("line_set", "[]", SET),
        ("weight", '"12.0000"', DECIMAL),
        ("weight", "12.5", DECIMAL),
        ("code", '"0012"', TEXT),
        ("code", '""', TEXT),
        ("pieces", "12", INTEGER),
        ("day", '"2025-07-03"', DATE),
        ("seen", '"2025-07-03T10:15:00Z"', TIMESTAMP),
        ("open", "false", BOOLEAN),
        ("place", '{"id":7,"key":"A"}', RELATION),
        ("place", '{"result_count":7}', SET),
        ("place", '{"row":7}', OBJECT),
        ("parts", "[1]", SET),
        # The list of known fields says what a text is of.
        ("sched_ship_date", '"2025-07-03"', DATE),
        ("priority", "1", INTEGER),
    ],
)
def test_a_field_that_nobody_described_is_told_by_list_name_and_value(
    name: str, value: str, kind: str
) -> None:
    held = HeldFields()
    assert kind == Contract(ENTITY, held).kind(name, value.encode())
    assert (kind,) == held.known(ENTITY)[name].kinds


def test_a_null_of_which_nothing_is_known_teaches_nothing() -> None:
    held = HeldFields()
    contract = Contract(ENTITY, held)
    assert "" == contract.kind("weight", b"null")
    assert {} == held.known(ENTITY)
    assert DECIMAL == contract.kind("weight_qty", b"null")


def test_all_known_fields_have_a_kind_before_anything_is_described() -> None:
    for entity, listed in KNOWN.items():
        contract = Contract(f"wms.{entity}", HeldFields())
        assert all(contract.kind(name, b"null") for name in listed)


def test_a_new_field_extends_the_contract_for_all_and_is_told_once() -> None:
    held = book()
    for _ in range(2):
        # Another process, which has not seen the first one's rows.
        admitted = admission(chunk(), held)(
            batch([text(id=1), text(id=2, weight="1.5"), text(id=3, weight=None)])
        )
        assert 3 == len(admitted.lines)
    assert {"N": "1.5"} == json.loads(admitted.lines[1])["Item"]["weight"]
    told = [event for event in held.history(ENTITY) if event.event != DESCRIBED]
    assert [("weight", EXTENDED, (DECIMAL,), '"1.5"')] == [
        (event.name, event.event, event.kinds, event.detail) for event in told
    ]


def test_a_contract_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "MOST_FIELDS", len(TYPES) + 1)
    admitted = admission(chunk(), book())(batch([text(one=1), text(two=2), text()]))
    assert (2, 1) == (len(admitted.lines), len(admitted.rejections))
    assert "two: a new field, and the contract has 14 already" == admitted.rejections[0].reason


def changed(held: FieldBook, value: Any = "HIGH") -> Any:
    """What becomes of a row whose number is a text now."""
    admitted = admission(chunk(), held)(batch([text(), text(status_id=value), text()]))
    assert 3 == len(admitted.lines) + len(admitted.rejections)
    if admitted.rejections:
        return admitted.rejections[0].reason
    item = json.loads(admitted.lines[1])["Item"]
    return item["status_id"], item.get("status_id__aside")


def test_a_changed_type_is_refused_until_a_person_decides_and_then_as_decided() -> None:
    held = book()
    waits = 'status_id: changed type, text where integer is known: "HIGH"; it '
    waits += "is for a person to decide: ingest schema"
    assert [waits, waits] == [changed(held), changed(held)]
    assert [("status_id", ASKED, (TEXT,), '"HIGH"')] == [
        (event.name, event.event, event.kinds, event.detail)
        for event in held.history(ENTITY)
        if event.event == ASKED
    ]
    held.decide(ENTITY, "status_id", REFUSE, by="ana")
    assert waits.replace("is for a person to decide: ingest schema", "was refused") == changed(held)
    held.decide(ENTITY, "status_id", ASIDE, by="ana")
    assert ({"NULL": True}, {"S": '"HIGH"'}) == changed(held)
    held.decide(ENTITY, "status_id", ACCEPT, by="ana")
    assert ({"S": "HIGH"}, None) == changed(held)
    assert ({"N": "7"}, None) == changed(held, 7)


def test_an_accepted_change_holds_for_rows_that_are_read_meanwhile_by_others() -> None:
    held = book()
    admit = admission(chunk(), held)
    assert 1 == len(admit(batch([text(status_id="HIGH")])).rejections)
    held.decide(ENTITY, "status_id", ACCEPT, by="ana")
    assert 1 == len(admission(chunk(), held)(batch([text(status_id="HIGH")])).lines)


def test_a_first_description_is_no_news_and_a_later_one_is_reviewed() -> None:
    held = HeldFields()
    assert Review() == review(held, ENTITY, described())
    assert Review() == review(held, ENTITY, described())
    later = {**TYPES, "status_id": "string", "lot_nbr": "string"}
    del later["note"]
    found = review(held, ENTITY, described(later))
    assert Review(new=("lot_nbr",), changed=("status_id: text, was integer",), gone=("note",)) == found
    assert (
        "new field lot_nbr",
        "changed type of status_id: text, was integer: decide with `ingest schema`",
        "field note is no longer described",
    ) == found.warnings
    assert ("text",) == held.known(ENTITY)["status_id"].asked
    held.decide(ENTITY, "status_id", ACCEPT, by="ana")
    assert () == review(held, ENTITY, described(later)).changed


def test_a_description_is_worth_more_than_a_guess() -> None:
    held = HeldFields()
    guessed = KnownField(name="order_nbr", kinds=(INTEGER,), origin="sample")
    held.add(ENTITY, [guessed], event=EXTENDED)
    assert () == review(held, ENTITY, described()).changed
    assert (TEXT, INTEGER) == held.known(ENTITY)["order_nbr"].kinds


def test_types_are_understood_in_several_words_and_else_by_the_name() -> None:
    held = HeldFields()
    words = {"a": "CharField", "b": "Big Integer", "c": "float", "d": "DateTime", "e_qty": "???", "f": "???"}
    review(held, ENTITY, [Field(name=name, type=word) for name, word in words.items()])
    assert {"a": (TEXT,), "c": (DECIMAL,), "d": (TIMESTAMP,), "e_qty": (DECIMAL,)} == {
        name: field.kinds for name, field in held.known(ENTITY).items() if name != "b"
    }
