"""A real node's API, and indices that are gone again after each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.testing.running import RunningServer
from ingest_project_tests.sinks.sending import opensearch_api


@pytest.fixture
async def api(opensearch_node: RunningServer, index_name: str) -> AsyncIterator[OpenSearchApi]:
    """For indices whose names begin with ``index_name``."""
    async with opensearch_api(opensearch_node.url, timeout=60.0) as found:
        yield found
        await found.call("DELETE", f"/{index_name}*")
        await found.call("DELETE", f"/_index_template/ingest-{index_name}*")
