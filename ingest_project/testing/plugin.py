"""A pytest plugin: real servers as fixtures, started when first asked for, stopped at the end of the session.

Use it with ``pytest_plugins = ["ingest_project.testing.plugin"]``; docs/servers.md tells more. What the
fixtures give is in running.py, the tables at the end of the run are made in server_tables.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_project.testing.running import CATALOGUE_NAMES, RunningServer, Servers
from ingest_project.testing.server_tables import USED, Tables
from ingest_project.testing.wms_running import Simulators

_FIXTURES = frozenset({*CATALOGUE_NAMES, "start_server"})
_SERVERS = pytest.StashKey[Servers]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("servers", "real servers (ingest_project.testing.plugin)")
    group.addoption(
        "--require-servers",
        action="store_true",
        help="a server that cannot be had fails its tests instead of skipping them",
    )
    group.addoption("--servers-cache", metavar="DIR", help="where servers are fetched to")
    group.addoption("--servers-report", metavar="FILE", help="write the table server x module there, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "servers: takes a server of ingest_project.testing.plugin")
    cache, report = config.getoption("--servers-cache"), config.getoption("--servers-report")
    config.stash[_SERVERS] = Servers(
        cache=Path(cache) if cache else None, required=bool(config.getoption("--require-servers"))
    )
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Tables(Path(report) if report else None), "ingest-server-tables")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever takes a server is marked ``servers``: nobody forgets it."""
    for item in items:
        if not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(scope="session")
def start_server(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """``start_server(name, **settings)``: a server with settings of its own; equal ones are shared."""
    servers = request.config.stash[_SERVERS]
    yield servers
    servers.close()


@pytest.fixture(autouse=True)
def _note_servers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave word in the report which servers this test took; it travels to xdist's controller with it."""
    yield
    taken = request.config.stash[_SERVERS].taken(_FIXTURES.intersection(request.fixturenames))
    request.node.user_properties.extend((USED, word) for word in taken)


@pytest.fixture
def start_wms() -> Iterator[Simulators]:
    """``start_wms("--rows", "5000", "--seed", "3")``: a simulated warehouse API in a process of its own."""
    simulators = Simulators()
    yield simulators
    simulators.close()


@pytest.fixture(scope="session")
def seaweedfs(start_server: Servers) -> RunningServer:
    """S3: SeaweedFS with the credentials of ingest_project.local.servers."""
    return start_server("seaweedfs")


@pytest.fixture(scope="session")
def moto(start_server: Servers) -> RunningServer:
    """DynamoDB and S3, in memory; checks little."""
    return start_server("moto")


@pytest.fixture(scope="session")
def osmem(start_server: Servers) -> RunningServer:
    """OpenSearch's protocol, in memory."""
    return start_server("osmem")


@pytest.fixture(scope="session")
def dynalite(start_server: Servers) -> RunningServer:
    """DynamoDB with its own limits and words."""
    return start_server("dynalite")


@pytest.fixture(scope="session")
def opensearch_node(start_server: Servers) -> RunningServer:
    """One real OpenSearch node."""
    return start_server("opensearch_node")


@pytest.fixture(scope="session")
def opensearch3_node(start_server: Servers) -> RunningServer:
    """One real OpenSearch node of the next major release; needs Java 21."""
    return start_server("opensearch3_node")


@pytest.fixture(scope="session")
def tika(start_server: Servers) -> RunningServer:
    """The Tika server."""
    return start_server("tika")


@pytest.fixture(scope="session")
def postgresql(start_server: Servers) -> RunningServer:
    """PostgreSQL; ``ingest_project.local.postgresql.database(url)`` makes a fresh database in it."""
    return start_server("postgresql")


@pytest.fixture(scope="session")
def redis(start_server: Servers) -> RunningServer:
    """Redis."""
    return start_server("redis")
