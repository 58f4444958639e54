"""A fault server in a thread of this process, and loads of dump files into it through the code API."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from ingest_project import import_file
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.deployments import Settings
from ingest_project.resources.importing import ImportReport
from ingest_project.testing.fault_scripts import Script
from ingest_project.testing.fault_server import WELL_BEHAVED, FaultServer

TABLE = "messages"


@contextmanager
def serving(script: Script = WELL_BEHAVED, table: str = TABLE) -> Iterator[FaultServer]:
    """A DynamoDB with one table that has the key ``id``; refuses what DynamoDB refuses."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    server = FaultServer(keys={table: ("id",)}, script=script)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def settings_for(server: FaultServer, home: Path) -> Settings:
    return Settings.from_env(
        {
            "INGEST_HOME": str(home),
            "AWS_ENDPOINT_URL_DYNAMODB": server.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "INGEST_RETRY_BASE_SECONDS": "0.01",
            "INGEST_RETRY_CAP_SECONDS": "0.05",
        }
    )


def load(server: FaultServer, home: Path, path: Path) -> ImportReport:
    """Load a file or folder into the table."""
    return import_file(str(path), TABLE, index=False, settings=settings_for(server, home))


def stored(server: FaultServer) -> dict[str, dict[str, dict[str, object]]]:
    """Items of the table by their key."""
    return {item["id"]["S"]: item for item in server.tables.items[TABLE].values()}
