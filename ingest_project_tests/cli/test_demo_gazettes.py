"""`ingest demo --gazettes`: what landed beside what is true; what it says where it cannot be shown."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ingest_project.cli_demo_landed import Best, Landed, compared
from ingest_project.core.bucket_standing import MonthStanding
from ingest_project.entities.gazettes.themes import load_themes
from ingest_project.local import read_running, ui
from ingest_project.local.examples import GAZETTE_THEMES
from ingest_project.testing.gazette_files import Gazettes
from ingest_project.testing.gazette_world import sample
from ingest_project_tests.cli.conftest import Ingest
from ingest_project_tests.cli.processes import start
from ingest_project_tests.conftest import missing


def true_of(gazettes: Gazettes) -> Landed:
    """All of it as it has to be."""
    made = list(gazettes)
    good = [one for one in made if not one.cause]
    titles = load_themes(GAZETTE_THEMES)[0].titles
    passages = [
        (title, territory)
        for one in good
        for title in one.passages
        if title in titles
        for territory in one.passages[title]
    ]
    return Landed(
        states=MonthStanding(total=len(made), completed=len(good), failed=len(made) - len(good)),
        parked=Counter((one.stage, one.cause) for one in made if one.cause),
        texts=sum(one.stage not in ("downloaded", "texts") for one in made),
        indexed={str(one.id): len(one.segments) or 1 for one in good},
        passages=frozenset(passages),
        excerpts=[Best(subtheme=title, number=1, score=0.5, text="...") for title in titles],
        unflagged=len(made) - len(good),
    )


def test_what_landed_as_it_is_true_is_good() -> None:
    findings = compared(true_of(sample()), sample())
    assert [] == [one.what for one in findings if not one.good]
    assert ["24", "6"] == [one.true for one in findings[:2]]


def test_what_landed_elsewhere_or_not_at_all_is_told() -> None:
    found = true_of(sample())
    wrong = Landed(
        states=found.states,
        parked={("texts", "boredom"): found.states.failed},
        texts=found.texts - 1,
        indexed={**found.indexed, "1": 0, "2": 2},
        passages=frozenset(),
        excerpts=found.excerpts,
        unflagged=found.unflagged,
    )
    assert [False, False, False, False] == [
        one.good
        for one in compared(wrong, sample())
        if one.what.startswith(("gazettes parked", "texts", "documents", "passages"))
    ]


def test_somebody_elses_database_is_left_alone(bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_GAZETTES_DATABASE_URL", "postgresql://localhost/archive")
    done = bare_ingest("demo", "--gazettes")
    assert (2, True) == (done.status, "has a database of its own: unset it" in done.err)


def test_servers_that_are_configured_elsewhere_are_not_used(
    bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSEARCH_URL", "http://127.0.0.1:9")
    done = bare_ingest("demo", "--gazettes")
    assert (2, True) == (done.status, "starts its own servers: unset" in done.err)


@pytest.mark.dagster
@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.timeout(700)
def test_the_demo_takes_made_gazettes_through_dagster_and_stops_what_it_started(
    open_home: Path,
) -> None:
    demo = start(["demo", "--gazettes", "--timeout", "500"], {"INGEST_HOME": str(open_home)})
    out, err = demo.communicate(timeout=680)
    if "cannot be had" in err:
        missing(err)
    assert demo.returncode == 0, f"{out}\n{err}"
    assert "Every gazette is accounted for." in out
    assert "not so" not in out
    assert {} == read_running(open_home).servers
    assert ui.running(open_home) is None
    assert "INGEST_GAZETTES_DATABASE_URL" in (open_home / "gazettes-demo.env").read_text()
