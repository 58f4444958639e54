"""Here every test that takes an OpenSearch is run on each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_project_tests.every_server import clients, opensearch, opensearch_server, opensearch_url
from ingest_project_tests.resources.indices.depot import Depot

__all__ = ["clients", "opensearch", "opensearch_server", "opensearch_url"]


@pytest.fixture
def depot(opensearch_url: str, opensearch: Any, home: Path, index_name: str) -> Iterator[Depot]:
    """A deployment with this OpenSearch alone; its table is named like the index."""
    yield Depot(url=opensearch_url, home=home, table=index_name)
    # A read-only index takes this setting and no other beside it.
    opensearch.indices.put_settings(
        index=f"{index_name}*", body={"index": {"blocks": {"read_only": None}}}, ignore=404
    )
    opensearch.indices.delete(index=f"{index_name}*", params={"ignore_unavailable": "true"})
    opensearch.indices.delete_index_template(name=f"ingest-{index_name}*", ignore=404)
