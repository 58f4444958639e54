"""CI's gate over the benchmarks, and the page that is made of their results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest

from benchmarks import gate, page, table
from benchmarks.__main__ import CLAIMS
from benchmarks.claims import SHORT, Claim, Scale, Stage, times, usual_columns
from benchmarks.frame import Row, Sample
from ingest_project_tests.performance.rows import telling

CLAIM = Claim(
    name="claim",
    family="family",
    title="A claim",
    unit="item",
    columns=usual_columns("item"),
    against=times("peer", "peer", clock=True, gated=True),
    prepare=lambda scale, folder: nullcontext(Stage(rows=())),
)
PER_ITEM = {"peer": (10.0, 12.0, 11.0), "ours": (1.0, 2.0, 1.0)}


def result(claim: Claim = CLAIM, costs: Mapping[str, tuple[float, ...]] = PER_ITEM) -> table.Result:
    stage = Stage(rows=[Row(name=name, make=telling, ours=name == "ours") for name in costs], note="A note.")
    samples = {
        name: [Sample(units=100, wall=2 * one, cpu=one, peak=1 << 20) for one in row]
        for name, row in costs.items()
    }
    return table.result_of(claim, SHORT, stage, samples)


def test_our_rows_are_watched_by_the_median_of_the_rounds_ratios_in_cpu() -> None:
    assert {"ours": {"x peer, CPU": 10.0}} == gate.watched(CLAIM, result())


@pytest.mark.parametrize(("now", "falls"), [(10.0, False), (7.1, False), (6.9, True), (12.0, False)])
def test_a_ratio_falls_short_under_seventy_percent_of_the_committed_one(now: float, falls: bool) -> None:
    said = gate.shortfalls({"ours": {"x": now}}, {"ours": {"x": 10.0}})
    assert falls == bool(said)
    assert not falls or "69% of the committed 10" in said[0]


def test_a_committed_ratio_that_is_not_measured_any_more_falls_short() -> None:
    assert ["ours, x: not measured; committed is 10"] == gate.shortfalls({}, {"ours": {"x": 10.0}})


def test_committing_some_claims_keeps_the_others_and_drops_what_ci_runs_no_more(tmp_path: Path) -> None:
    path = tmp_path / "committed.json"
    gate.write({"one": {"ours": {"x": 1.23456}}, "old": {}}, {"one", "old"}, path)
    gate.write({"two": {"ours": {"x": 2.0}}}, {"one", "two"}, path)
    assert {"one": {"ours": {"x": 1.23}}, "two": {"ours": {"x": 2.0}}} == gate.read(path)


def test_of_several_runs_the_least_of_each_ratio_is_committed() -> None:
    runs = [{"ours": {"x": ratio, "y": 1 / ratio}} for ratio in (4.0, 8.0, 2.0)]
    assert {"ours": {"x": 2.0, "y": 0.125}} == gate.least(runs)


def test_what_is_committed_are_the_claims_that_ci_runs() -> None:
    assert {claim.name for claim in CLAIMS if claim.short} == set(gate.read())


def test_a_result_that_was_kept_is_read_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path / "results")
    made = result()
    assert table.kept("claim") is None
    table.keep(made)
    assert made == table.kept("claim")


def test_a_table_has_medians_with_least_and_most_and_ratios_to_the_peer() -> None:
    lines = list(table.lines(CLAIM, result()))
    assert "| ours | 50 | 1e+04 (1e+04-2e+04) | 1 | 10 (6-11) | 10 (6-11) |" == " ".join(lines[3].split())
    assert "A note." == lines[-1].strip()


def test_the_page_has_a_place_for_every_claim_and_its_words_stay() -> None:
    text = page.PAGE.read_text()
    marks = [line for line in text.splitlines() if line.startswith("<!-- claim: ")]
    assert sorted(f"<!-- claim: {claim.name} -->" for claim in CLAIMS) == sorted(marks)
    once = page.filled(text, CLAIMS)
    assert once == page.filled(once, CLAIMS)


def test_a_page_shows_what_is_kept_between_its_marks() -> None:
    text = "Before.\n<!-- claim: claim -->\nold\n<!-- end -->\nBehind.\n"
    made = page.filled(text, [CLAIM], lambda name: result())
    assert "old" not in made
    assert made.startswith("Before.\n<!-- claim: claim -->\n\n**A claim** (`claim`)\n\n|")
    assert "A note.\n\n" in made
    assert made.endswith("\n\n<!-- end -->\nBehind.\n")
    assert "Not measured yet." in page.filled(text, [CLAIM], lambda name: None)


def test_every_picture_of_the_page_is_there_and_the_others_come_with_their_results() -> None:
    text = page.PAGE.read_text()
    pictures = re.findall(r"\(images/(bench-[\w-]+\.png)\)", text)
    assert [] == [name for name in pictures if not (page.PAGE.parent / "images" / name).exists()]
    assert "<!-- plot: none, A -->\n" == page.filled(
        "<!-- plot: none, A -->\n![A](images/bench-none.png)\n", []
    )
    kept = "<!-- plot: dynamodb, A -->\n"
    assert f"{kept}![A](images/bench-dynamodb.png)\n" == page.filled(kept, [])


def test_a_scale_has_less_for_ci_and_more_for_those_who_wait() -> None:
    scales = [Scale(name=name, rounds=1) for name in ("short", "usual", "full")]
    assert [1, 2, 2] == [scale.of(1, 2) for scale in scales]
    assert [1, 2, 3] == [scale.of(1, 2, 3) for scale in scales]
