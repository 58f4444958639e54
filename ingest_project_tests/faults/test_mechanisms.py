"""One mutation a mechanism: each scenario passes with it and fails without it, so it is needed and tested."""

from __future__ import annotations

import pytest

from ingest_project_tests.faults import (
    mechanisms_core,
    mechanisms_dynamodb,
    mechanisms_opensearch,
    mechanisms_service,
)
from ingest_project_tests.faults.acting import Mechanism

MECHANISMS = [
    pytest.param(mechanism, id=f"{module.__name__.rpartition('_')[2]}: {mechanism.name}")
    for module in (mechanisms_core, mechanisms_dynamodb, mechanisms_opensearch, mechanisms_service)
    for mechanism in module.MECHANISMS
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_load_is_whole_with_it(mechanism: Mechanism) -> None:
    mechanism.scenario()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_same_load_fails_without_it(mechanism: Mechanism, monkeypatch: pytest.MonkeyPatch) -> None:
    mechanism.remove(monkeypatch)
    with pytest.raises(mechanism.breaks):
        mechanism.scenario()
