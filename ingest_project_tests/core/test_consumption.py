"""Units are added up where the service says they were used."""

from __future__ import annotations

from ingest_project.core.consumption import Consumption, places


def test_units_of_a_table_and_its_indexes_are_told_apart() -> None:
    divided = {
        "TableName": "t",
        "CapacityUnits": 3.5,
        "Table": {"CapacityUnits": 1.0},
        "GlobalSecondaryIndexes": {"ByTime": {"CapacityUnits": 2.5}},
    }
    assert {"t": 1.0, "t/ByTime": 2.5} == places(divided)
    assert {"t": 3.5} == places({"TableName": "t", "CapacityUnits": 3.5})
    assert {} == places({})


def test_each_pattern_has_a_tally() -> None:
    consumption = Consumption()
    consumption.note("a", {"TableName": "t", "CapacityUnits": 0.5}, 3)
    consumption.note("a", {"TableName": "t", "CapacityUnits": 1.0}, 4)
    consumption.note("b", None, 1)
    tally = consumption.of("a")
    assert (2, 7, 1.5) == (tally.requests, tally.items, tally.total)
    assert (3, 1.5) == (consumption.requests, consumption.units)
