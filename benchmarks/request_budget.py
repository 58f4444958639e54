"""``python -m benchmarks.request_budget [--quota N]``: three entities in each of two processes, one quota.

The simulated API counts the requests that come. Prints one JSON object; ``share`` is of the quota.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest_project.resources.api_client import api_budget, paged_api
from ingest_project.resources.deployments import Settings, load_settings

ENTITIES = ("allocation", "order_hdr", "order_dtl")
PROCESSES = 2
SERVER = ("ingest_project.testing.wms_server", "--rows", "200000", "--delay", "0.2")


async def read(settings: Settings, entity: str) -> None:
    """Page after page, by keyset, until somebody stops it."""
    async with paged_api(settings, "full") as api:
        query = {"ordering": "-id"}
        while rows := (await api.page(entity, query)).rows:
            query = {"ordering": "-id", "id__lt": str(rows[-1].id)}


async def read_for(seconds: float) -> None:
    """Body of a process."""
    settings = load_settings()
    tasks = [asyncio.create_task(read(settings, entity)) for entity in ENTITIES]
    done, going = await asyncio.wait(tasks, timeout=seconds)
    for task in going:
        task.cancel()
    await asyncio.gather(*going, return_exceptions=True)
    for task in done:
        task.result()


def measure(url: str, quota: float, seconds: float, home: Path) -> dict[str, Any]:
    """Run the processes and ask the server how many requests came in each second."""
    given: Mapping[str, str] = {
        "INGEST_HOME": str(home),
        "INGEST_WMS_URL": url,
        "INGEST_WMS_USER": "demo",
        "INGEST_WMS_PASSWORD": "demo",
        "INGEST_WMS_QUOTA": str(quota),
        "INGEST_WMS_PAGE_SIZE": "50",
    }
    command = [sys.executable, "-m", "benchmarks.request_budget", "--read", str(seconds)]
    processes = [subprocess.Popen(command, env={**os.environ, **given}) for _ in range(PROCESSES)]
    statuses = [process.wait() for process in processes]
    if any(statuses):
        raise RuntimeError("a reading process failed")
    with urllib.request.urlopen(f"{url.partition('/demo')[0]}/_faults/stats") as answer:
        counted = json.load(answer)["seconds"]
    # The first and the last second are not whole.
    whole = [second["requests"] for second in counted][1:-1]
    rate = sum(whole) / len(whole)
    return {
        "quota": quota,
        "seconds": len(whole),
        "requests": sum(whole),
        "rate": round(rate, 3),
        "share": round(rate / quota, 3),
        "refused": sum(second["refusals"] for second in counted),
        "taken": api_budget(Settings.from_env(given, home)).standing().taken,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quota", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--read", type=float, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.read is not None:
        asyncio.run(read_for(wanted.read))
        return
    command = [sys.executable, "-m", *SERVER]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as home,
    ):
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        found = measure(url, wanted.quota, wanted.seconds, Path(home))
        server.communicate()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
