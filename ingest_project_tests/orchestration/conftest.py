"""Fixtures of the tests that run Dagster in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest_project_tests.faults.world import World
from ingest_project_tests.orchestration.desk import Desk, operated


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    with operated(world) as found:
        yield found
