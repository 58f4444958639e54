"""``python -m ingest_project.testing.fault_server``: a fault server in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from ingest_project.testing.fault_quotas import WriteQuota
from ingest_project.testing.fault_server import FaultServer


def main(argv: list[str] | None = None) -> None:
    """Serve until standard input ends; the first line of output is ``{"url": ...}``."""
    arguments: Any = _parser().parse_args(argv)
    with asyncio.Runner(loop_factory=_fast_loop) as runner:
        runner.run(_serve(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ingest_project.testing.fault_server", description=__doc__
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--table", default="null", metavar="NAME[:KEY]", help="DynamoDB table; key id")
    parser.add_argument("--index", default="null", help="OpenSearch index")
    parser.add_argument("--keep", action="store_true", help="keep what is written in memory")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that every write takes")
    parser.add_argument("--quota", type=float, help="write units a second")
    parser.add_argument("--burst", type=float, default=300.0, help="seconds of the quota that are saved up")
    parser.add_argument("--unit", type=int, default=1024, help="bytes of a unit; 0: an item is one unit")
    parser.add_argument("--start", type=float, help="units saved up at the beginning; default: all")
    return parser


def server_of(arguments: Any) -> FaultServer:
    """The server that the arguments describe."""
    table, _, key = arguments.table.partition(":")
    quota = None
    if arguments.quota is not None:
        quota = WriteQuota(
            arguments.quota, burst_seconds=arguments.burst, unit=arguments.unit, start=arguments.start
        )
    return FaultServer(
        keys={table: (key or "id",)},
        indices=(arguments.index,),
        null=not arguments.keep,
        delay=arguments.delay,
        quota=quota,
    )


async def _serve(arguments: Any) -> None:
    server = server_of(arguments)
    await server.start(arguments.port)
    sys.stdout.write(json.dumps({"url": server.url}) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop()


def _fast_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
