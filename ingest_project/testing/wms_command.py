"""``python -m ingest_project.testing.wms_server``: the simulated warehouse API in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Any

from ingest_project.testing.fault_command import fast_loop, named_faults
from ingest_project.testing.fault_quotas import RequestQuota
from ingest_project.testing.fault_scripts import NAMED, Script, at_random, in_order
from ingest_project.testing.wms_api import Latency, Pace, WmsApi
from ingest_project.testing.wms_churn import Churn, Habit, SchemaChange
from ingest_project.testing.wms_doors import Doors
from ingest_project.testing.wms_fields import ENTITIES
from ingest_project.testing.wms_mischief import MISCHIEF, UNUSUAL, Mischief, pages_at_random
from ingest_project.testing.wms_query import Habits
from ingest_project.testing.wms_server import WmsServer
from ingest_project.testing.wms_world import World


def main(argv: list[str] | None = None) -> None:
    """Serve until standard input ends; the first line of output is ``{"url": ..., "token_url": ...}``."""
    arguments: Any = parser().parse_args(argv)
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(_serve(arguments))


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    name = "python -m ingest_project.testing.wms_server"
    found = argparse.ArgumentParser(prog=name, description="A simulated warehouse API: lgfapi v10.")
    found.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one without it")
    found.add_argument("--environment", default="demo", help="first part of the path")
    found.add_argument("--seed", type=int, default=0, help="the same seed gives the same warehouse")
    _add_rows(found.add_argument_group("what is in it"))
    _add_life(found.add_argument_group("what happens in it"))
    _add_habits(found.add_argument_group("how the API is set up"))
    _add_troubles(found.add_argument_group("what goes wrong"))
    return found


def _add_rows(group: Any) -> None:
    group.add_argument(
        "--rows", type=_rows, default=1000, metavar="N | ENTITY=N,...", help="rows at the beginning"
    )
    group.add_argument("--ties", type=int, default=3000, help="rows in a row with one mod_ts")
    group.add_argument("--companies", default="DEMO", metavar="CODE,CODE")
    group.add_argument("--facilities", default="MAIN", metavar="CODE,CODE")
    group.add_argument("--offset", type=int, default=-180, help="minutes ahead of UTC")
    group.add_argument("--summer", type=int, default=0, help="minutes more from October to March")


def _add_life(group: Any) -> None:
    group.add_argument("--each", type=float, default=0.0, help="virtual seconds that pass with every request")
    group.add_argument("--speed", type=float, default=0.0, help="virtual seconds for each second")
    group.add_argument("--inserts", type=float, default=0.0, help="of each entity a virtual second")
    group.add_argument("--updates", type=float, default=0.0, help="the same")
    group.add_argument("--deletes", type=float, default=0.0, help="the same")
    group.add_argument("--batch", type=int, default=0, help="rows that a batch job gives one mod_ts")
    group.add_argument(
        "--batch-every", type=float, default=0.0, help="virtual seconds between two batch jobs"
    )
    group.add_argument(
        "--late", type=float, default=0.0, help="share of the transactions that commit late ..."
    )
    group.add_argument("--late-most", type=float, default=600.0, help="... by up to so many virtual seconds")
    group.add_argument(
        "--skew", type=_numbers, default=(0.0,), help="seconds each app server is ahead: 0,4,-2.5"
    )
    group.add_argument("--backwards", action="store_true", help="a server behind gives a row an older mod_ts")
    group.add_argument(
        "--field", type=_change, action="append", default=[], metavar="S:ENTITY.NAME[:TYPE][:new]"
    )


def _add_habits(group: Any) -> None:
    group.add_argument("--user", default="", help="for Basic; without it nobody is asked who they are")
    group.add_argument("--password", default="")
    group.add_argument("--client", default="", help="OAuth2 client")
    group.add_argument("--secret", default="")
    group.add_argument("--token-seconds", type=float, default=3600.0, help="how long a token is good for")
    group.add_argument("--token-early", type=float, default=0.0, help="by how much it ends before it said")
    group.add_argument("--closed", type=_words, default=(), metavar="ENTITY,ENTITY", help="403")
    group.add_argument("--rows-per-page", type=int, default=25, help="of a page that says no size: 10 to 125")
    group.add_argument("--refuse-large", action="store_true", help="page_size above 1250 is 400, not cut")
    group.add_argument("--before-26a", action="store_true", help="does not know empty_response_http_code")
    group.add_argument("--ignore-ordering", action="store_true", help="in sequenced mode")
    group.add_argument(
        "--steady-ties", action="store_true", help="rows of one mod_ts come by id, not by chance"
    )


def _add_troubles(group: Any) -> None:
    group.add_argument("--quota", type=float, help="requests a second; 429 with Retry-After beyond them")
    group.add_argument("--quota-burst", type=int, default=1, help="requests that may come at once")
    group.add_argument("--delay", type=float, default=0.0, help="seconds that every request takes")
    group.add_argument("--delay-mib", type=float, default=0.0, help="seconds for each MiB of an answer")
    group.add_argument("--crowd", type=float, default=0.0, help="so much slower for every other request")
    group.add_argument("--most", type=int, default=0, help="requests under way; 503 beyond them")
    group.add_argument("--share", type=float, default=0.2, help="share of the requests that meet a fault")
    group.add_argument("--faults", type=named_faults, default=[], metavar="NAME,NAME", help=", ".join(NAMED))
    group.add_argument(
        "--pages", type=_mischief, default=(), metavar="NAME,NAME", help=", ".join((*MISCHIEF, *UNUSUAL))
    )
    group.add_argument("--pages-share", type=float, default=0.05, help="share of the pages that are wrong")


def server_of(arguments: Any) -> WmsServer:
    """The server that the arguments describe."""
    a = arguments
    world = World(
        rows=a.rows,
        seed=a.seed,
        skew=a.skew,
        companies=_words(a.companies),
        facilities=_words(a.facilities),
        offset=a.offset,
        summer=a.summer,
        ties=a.ties,
        backwards=a.backwards,
    )
    habit = Habit(
        inserts=a.inserts,
        updates=a.updates,
        deletes=a.deletes,
        batch=a.batch,
        batch_every=a.batch_every,
        late=a.late,
        late_most=a.late_most,
    )
    world.life = Churn(a.seed, habit, begin=world.now, changes=tuple(a.field))
    script: Script = at_random(a.seed, a.faults, a.share) if a.faults else in_order()
    quota = RequestQuota(a.quota, burst=a.quota_burst) if a.quota is not None else None
    return WmsServer(_api(world, a), script=script, quota=quota)


def _api(world: World, a: Any) -> WmsApi:
    doors = Doors(
        user=a.user,
        password=a.password,
        client=a.client,
        secret=a.secret,
        lasts=a.token_seconds,
        early=a.token_early,
        closed=a.closed,
        clock=time.monotonic,
    )
    habits = Habits(
        rows_per_page=a.rows_per_page,
        refuse_large=a.refuse_large,
        empty_parameter=not a.before_26a,
        sequenced_ordering=not a.ignore_ordering,
        shuffled_ties=not a.steady_ties,
    )
    mischief = Mischief(pages_at_random(a.seed, a.pages, a.pages_share)) if a.pages else Mischief()
    return WmsApi(
        world,
        environment=a.environment,
        habits=habits,
        doors=doors,
        pace=Pace(each=a.each, speed=a.speed),
        mischief=mischief,
        latency=Latency(each=a.delay, mebibyte=a.delay_mib, crowd=a.crowd, most=a.most),
    )


async def _serve(arguments: Any) -> None:
    server = server_of(arguments)
    await server.start(arguments.port)
    sys.stdout.write(json.dumps({"url": server.url, "token_url": server.token_url}) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop()


def _rows(text: str) -> int | dict[str, int]:
    if text.isdigit():
        return int(text)
    pairs = dict(word.split("=", 1) for word in _words(text) if "=" in word)
    unknown = sorted(set(pairs) - set(ENTITIES))
    if unknown or not pairs:
        raise argparse.ArgumentTypeError(
            f"unknown: {', '.join(unknown) or text}; known: {', '.join(ENTITIES)}"
        )
    return {name: int(number) for name, number in pairs.items()}


def _change(text: str) -> SchemaChange:
    """``3600:order_hdr.cust_note:string:new``; without a type the field ends."""
    after, _, rest = text.partition(":")
    target, _, rest = rest.partition(":")
    kind, _, new = rest.partition(":")
    entity, dot, name = target.partition(".")
    if not dot or entity not in ENTITIES or new not in ("", "new"):
        raise argparse.ArgumentTypeError(f"{text!r} is not SECONDS:ENTITY.NAME[:TYPE][:new]")
    return SchemaChange(after=float(after), entity=entity, name=name, kind=kind, new=bool(new))


def _mischief(text: str) -> tuple[str, ...]:
    names = _words(text)
    known = (*MISCHIEF, *UNUSUAL)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    return names


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in _words(text))
