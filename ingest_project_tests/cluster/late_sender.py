"""``python -m ingest_project_tests.cluster.late_sender URL``: sends an item whenever it is told a key.

Says a line for each: ``sent``, or the error's name; for ``count`` how many requests the server has seen.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request

from ingest_project.core.errors import TransientFailure
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project_tests.sinks.sending import batch_of, dynamodb_sink, line


async def send(sink: DynamoDBSink, key: str) -> str:
    try:
        await sink.write(batch_of([line(key)]))
    except TransientFailure as error:
        return type(error).__name__
    return "sent"


def count(url: str) -> str:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{url}/_faults/stats") as answer:
        return str(json.load(answer)["requests"])


async def main(url: str) -> None:
    async with dynamodb_sink(url) as sink:
        while key := (await asyncio.to_thread(sys.stdin.readline)).strip():
            word = count(url) if key == "count" else await send(sink, key)
            sys.stdout.write(f"{word}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
