"""Fixtures of the tests that run Dagster in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ingest_project.local import Stack
from ingest_project_tests.faults.launcher import Launcher, launching
from ingest_project_tests.faults.world import World, new_world
from ingest_project_tests.orchestration.desk import Desk, operated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client


@pytest.fixture(scope="module")
def launcher(clean_environment: None) -> Iterator[Launcher]:
    with launching() as found:
        yield found


@pytest.fixture
def world(
    services: Stack, s3: S3Client, dynamodb: DynamoDBClient, tmp_path_factory: pytest.TempPathFactory
) -> World:
    return new_world(services, s3, dynamodb, tmp_path_factory)


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    with operated(world) as found:
        yield found
