"""A step that stops for a transient cause goes on after a pause; any other error is what it was."""

from __future__ import annotations

import dagster as dg
import pytest

from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.io_managers.work import RETRIES, RETRY_SECONDS, resumable


def test_a_transient_failure_asks_for_another_try() -> None:
    with pytest.raises(dg.RetryRequested) as caught, resumable():
        raise TransientFailure("ledger: away")
    assert (RETRIES, RETRY_SECONDS) == (caught.value.max_retries, caught.value.seconds_to_wait)
    assert "ledger: away" in str(caught.value.__cause__)


def test_a_permanent_failure_stays_one() -> None:
    with pytest.raises(PermanentFailure), resumable():
        raise PermanentFailure("no rights")
