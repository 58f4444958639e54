"""What is said of conversations without a server."""

from __future__ import annotations

import pytest

from ingest_project.core.access_linting import Complaint
from ingest_project.entities.conversations import linting
from ingest_project_tests.cli.conftest import Ingest


def test_all_reads_pass(bare_ingest: Ingest) -> None:
    done = bare_ingest("conversations", "lint")
    assert (0, "reads, 0 complaints") == (done.status, done.out.strip().partition(" ")[2])


def test_a_complaint_ends_with_1(bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linting, "complaints", lambda: [Complaint(pattern="p", text="is wrong")])
    done = bare_ingest("conversations", "lint")
    assert done.status == 1
    assert "p: is wrong\n" in done.out


def test_costs_are_told_with_the_dates_of_the_prices(bare_ingest: Ingest) -> None:
    done = bare_ingest("conversations", "costs", "--messages", "1000000", "--cached", "0.5")
    assert done.status == 0
    assert "old: " in done.out
    assert "50% from the cache, 75% of the others further ones; us-east-1" in done.out
    assert "AWS price list 2026-11" in done.out
