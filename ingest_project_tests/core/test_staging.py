"""Seconds without keeping each, reports that add up, and what a stage has to do with a document."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.document_ledger import Standing
from ingest_project.core.documents import PENDING, Document, Mark
from ingest_project.core.errors import CountLost
from ingest_project.core.staging import BUSY, DUE, PARKED, UNCHANGED, WAITING, StageTally, Timings, judge
from ingest_project.testing.doubles_stages import StageDouble
from ingest_project.testing.laws_documents import listed


@settings(max_examples=40)
@given(st.lists(st.floats(0.0002, 100_000.0), min_size=1, max_size=20), st.sampled_from([0.5, 0.95, 1.0]))
def test_quantiles_are_right_within_a_tenth(seconds: list[float], share: float) -> None:
    timings = Timings()
    for one in seconds:
        timings.add(one)
    exact = next(
        value
        for place, value in enumerate(sorted(seconds), start=1)
        if place >= share * len(seconds) - 1e-9 * len(seconds)
    )
    assert exact / 1.1001 <= timings.quantile(share) <= exact * 1.1001
    assert timings.mean == pytest.approx(sum(seconds) / len(seconds))
    assert timings.most == max(seconds)


def test_seconds_of_any_length_are_taken() -> None:
    timings = Timings()
    for one in (0.0, 1e-9, 1e12):
        timings.add(one)
    assert (3, 0.0, 1e12) == (timings.count, round(timings.quantile(0.3), 3), timings.most)
    assert timings.quantile(1.0) <= 1e12
    assert (0.0, 0.0) == (Timings().mean, Timings().quantile(0.95))


def test_a_report_that_leaves_a_document_out_is_refused() -> None:
    tally = StageTally("texts")
    tally.add("done", 3)
    tally.park("zip")
    tally.delay("later", 2)
    tally.report(6, 1.0).check()
    with pytest.raises(CountLost, match="6 of 7 documents"):
        tally.report(7, 1.0).check()


def test_a_tally_keeps_some_reasons_once_and_counts_all() -> None:
    tally, rng = StageTally("texts"), Random(1)
    for number in [*range(20)] * 3:
        tally.delay(f"reason {number}", rng.randrange(1, 3))
    report = tally.report(0, 2.0)
    assert tuple(f"reason {number}" for number in range(5)) == report.reasons
    assert report.delayed >= 60
    assert (0, 0.0) == (report.tried, report.rate)


def test_what_a_stage_has_to_do_with_a_document() -> None:
    stage = StageDouble("texts", after=("downloaded",))
    before = {"downloaded": Mark(fingerprint="f", output="o")}
    ready = Standing(document=_with(before), state=PENDING)
    wanted = stage.fingerprint(ready.document)
    through = _with(before | {"texts": Mark(fingerprint=wanted, output="o")})
    cases = {
        WAITING: Standing(document=listed("a"), state=PENDING),
        DUE: ready,
        BUSY: Standing(document=ready.document, state=PENDING, held=True),
        PARKED: Standing(document=ready.document, state=PENDING, parked=wanted),
        UNCHANGED: Standing(document=through, state=PENDING, held=True),
    }
    assert list(cases) == [judge(stage, found, lambda _: False)[0] for found in cases.values()]
    again = [judge(stage, found, lambda _: True)[0] for found in cases.values()]
    assert [WAITING, DUE, BUSY, DUE, BUSY] == again
    old = Standing(document=ready.document, state=PENDING, parked="of another configuration")
    assert judge(stage, old, lambda _: False) == (DUE, wanted)


def _with(marks: dict[str, Mark]) -> Document:
    return replace(listed("a"), marks=marks)
