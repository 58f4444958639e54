"""Metrics as OpenMetrics text."""

from __future__ import annotations

import pytest

from ingest_project.core.metrics import Metric, as_openmetrics

ROWS = Metric(name="ingest_rows", kind="counter", value=12, help="Rows", labels={"entity": "a"})
LEFT = Metric(name="ingest_left_seconds", unit="seconds", value=1.5, help="Time left")


def test_openmetrics_text_has_families_units_and_an_end() -> None:
    other = Metric(name="ingest_rows", kind="counter", value=3, help="Rows", labels={"entity": "b"})
    assert as_openmetrics([ROWS, LEFT, other]).splitlines() == [
        "# TYPE ingest_rows counter",
        "# HELP ingest_rows Rows",
        'ingest_rows_total{entity="a"} 12',
        'ingest_rows_total{entity="b"} 3',
        "# TYPE ingest_left_seconds gauge",
        "# UNIT ingest_left_seconds seconds",
        "# HELP ingest_left_seconds Time left",
        "ingest_left_seconds 1.5",
        "# EOF",
    ]


def test_labels_and_odd_numbers_are_written_as_the_format_wants() -> None:
    odd = {"entity": 'a"b\\c\nd'}
    metrics = [Metric(name="x", value=value, help="", labels=odd) for value in (float("inf"), float("nan"))]
    lines = as_openmetrics(metrics).splitlines()
    assert lines[2:4] == [r'x{entity="a\"b\\c\nd"} +Inf', r'x{entity="a\"b\\c\nd"} NaN']


@pytest.mark.parametrize("words", [{"name": "a b"}, {"name": "a_total"}, {"name": "a", "unit": "seconds"}])
def test_a_name_that_others_would_not_read_is_refused(words: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="metric"):
        Metric(value=1.0, help="", **words)
