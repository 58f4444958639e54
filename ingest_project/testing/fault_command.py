"""``python -m ingest_project.testing.fault_server``: a fault server in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from ingest_project.testing.fault_engine import DIALECTS
from ingest_project.testing.fault_quotas import RequestQuota, WriteQuota
from ingest_project.testing.fault_scripts import NAMED, Fault, at_random, in_order
from ingest_project.testing.fault_server import FaultServer


def main(argv: list[str] | None = None) -> None:
    """Serve until standard input ends; the first line of output is ``{"url": ...}``."""
    arguments: Any = _parser().parse_args(argv)
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(_serve(arguments))


def _parser() -> argparse.ArgumentParser:
    name = "python -m ingest_project.testing.fault_server"
    parser = argparse.ArgumentParser(prog=name, description="A server that misbehaves on demand.")
    parser.add_argument("--port", type=int, default=0, help="port; a free one without it")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; only of a network of your own"
    )
    behind = parser.add_argument_group("what stands behind it")
    behind.add_argument("--upstream", default="", metavar="URL", help="a real service; without it: nothing")
    behind.add_argument("--service", default="", choices=sorted(DIALECTS), help="what the service speaks")
    behind.add_argument("--table", default="null", metavar="NAME[:KEY]", help="DynamoDB table; its key is id")
    behind.add_argument("--index", default="null", help="OpenSearch index")
    behind.add_argument("--keep", action="store_true", help="keep what is written in memory")
    behind.add_argument("--access-key", default="", help="only requests signed with this key ...")
    behind.add_argument("--secret-key", default="", help="... and this secret")
    _add_troubles(parser.add_argument_group("what goes wrong"))
    return parser


def _add_troubles(group: Any) -> None:
    group.add_argument("--delay", type=float, default=0.0, help="seconds that every write takes")
    group.add_argument("--seed", type=int, default=0, help="the same seed gives the same faults")
    group.add_argument("--share", type=float, default=0.2, help="share of the writes that meet a fault")
    group.add_argument("--faults", type=named_faults, default=[], metavar="NAME,NAME", help=", ".join(NAMED))
    group.add_argument("--quota", type=float, help="write units a second")
    group.add_argument("--burst", type=float, default=300.0, help="seconds of the quota that are saved up")
    group.add_argument("--unit", type=int, default=1024, help="bytes of a unit; 0: an item is one unit")
    group.add_argument("--start", type=float, help="units saved up at the beginning; default: all")
    group.add_argument("--requests", type=float, help="write requests a second; 429 beyond them")
    group.add_argument("--requests-burst", type=int, default=1, help="requests that may come at once")


def named_faults(text: str) -> list[Fault]:
    """Faults of an option, by the names that the commands know."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = sorted(set(names) - set(NAMED))
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(NAMED)}")
    return [NAMED[name] for name in names]


def server_of(arguments: Any) -> FaultServer:
    """The server that the arguments describe."""
    table, _, key = arguments.table.partition(":")
    quota = requests = None
    if arguments.quota is not None:
        quota = WriteQuota(
            arguments.quota, burst_seconds=arguments.burst, unit=arguments.unit, start=arguments.start
        )
    if arguments.requests is not None:
        requests = RequestQuota(arguments.requests, burst=arguments.requests_burst)
    keys = (arguments.access_key, arguments.secret_key) if arguments.access_key else None
    script = at_random(arguments.seed, arguments.faults, arguments.share) if arguments.faults else in_order()
    return FaultServer(
        keys={table: (key or "id",)},
        indices=(arguments.index,),
        script=script,
        credentials=keys,
        null=not arguments.keep,
        delay=arguments.delay,
        quota=quota,
        request_quota=requests,
        upstream=arguments.upstream,
        service=arguments.service,
    )


async def _serve(arguments: Any) -> None:
    server = server_of(arguments)
    await server.start(arguments.port, arguments.host)
    sys.stdout.write(json.dumps({"url": server.url}) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop()


def fast_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, where it can be had."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
