"""The simulated API without a network: a request in, an answer out, and time passes meanwhile.

Routes, errors and who may ask. What a list holds is decided in wms_query, wms_selecting and wms_paging.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import product
from urllib.parse import urlsplit

from ingest_project.testing.fault_messages import Call, Reply, json_reply
from ingest_project.testing.wms_doors import Doors
from ingest_project.testing.wms_errors import Refused, refusal
from ingest_project.testing.wms_fields import ALSO_LISTED, ENTITIES, description
from ingest_project.testing.wms_mischief import Mischief
from ingest_project.testing.wms_paging import Page, chosen, page_of
from ingest_project.testing.wms_query import Habits, Query, read_query
from ingest_project.testing.wms_selecting import Selection
from ingest_project.testing.wms_world import World

VERSION = "v10"
_JSON = (("Content-Type", "application/json"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast virtual time passes.

    Attributes:
        each: Seconds for every request.
        speed: Seconds for each second of the timer; 0: only requests and tests move it.
    """

    each: float = 0.0
    speed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long an answer takes, in real seconds: more for large pages, and for each of many at once.

    Attributes:
        each: Of every request.
        mebibyte: For each MiB of the answer.
        crowd: So much longer for every other request under way: 0.1 is a tenth.
        most: Requests under way beyond which the next is told 503; 0: any number.
    """

    each: float = 0.0
    mebibyte: float = 0.0
    crowd: float = 0.0
    most: int = 0

    def seconds(self, size: int, inside: int) -> float:
        """For an answer of so many bytes with so many requests under way."""
        return (self.each + self.mebibyte * size / 2**20) * (1 + self.crowd * (inside - 1))


class WmsApi:
    """lgfapi v10 over a World.

    Args:
        environment: First part of the path.
        public: ``scheme://host[:port]`` in links; without it the request's Host says it.

    Attributes:
        asked: Requests by what was asked: entities, describe, list, count, row, token.
    """

    def __init__(
        self,
        world: World,
        *,
        environment: str = "demo",
        public: str = "",
        habits: Habits | None = None,
        doors: Doors | None = None,
        pace: Pace | None = None,
        mischief: Mischief | None = None,
        latency: Latency | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.world, self.environment, self._public = world, environment, public
        self.habits, self.doors = habits or Habits(), doors or Doors()
        self.pace, self.mischief = pace or Pace(), mischief or Mischief()
        self.latency, self._sleep, self._inside = latency or Latency(), sleep, 0
        self.asked = Counter[str]()
        self.pages = 0
        self._timer, self._seen, self._refused = timer, timer(), 0
        self._pairs = list(product(world.companies, world.facilities))

    @property
    def root(self) -> str:
        """Path of the API, with a slash at the end."""
        return f"/{self.environment}/wms/lgfapi/{VERSION}/"

    def get(self, target: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
        """The answer to a GET; a target that does not begin with a slash lies under the API's root."""
        path = urlsplit(target)
        local = f"{path.path}?{path.query}" if path.scheme else target
        return self.reply(Call("GET", local if local.startswith("/") else self.root + local, headers, b""))

    async def answer(self, call: Call) -> Reply:
        """fault_engine.Backend: the answer, when it is due."""
        self._inside += 1
        try:
            if 0 < self.latency.most < self._inside:
                return refusal(503, "The service is temporarily unavailable.", number=self._inside)
            reply = self.reply(call)
            wait = self.latency.seconds(len(reply.body), self._inside)
            if wait:
                await self._sleep(wait)
            return reply
        finally:
            self._inside -= 1

    async def aclose(self) -> None:
        """Nothing is held."""

    def reply(self, call: Call) -> Reply:
        """The answer to any request."""
        self._pass_time()
        try:
            return self._routed(call)
        except Refused as refused:
            self._refused += 1
            reply = refusal(refused.status, refused.message, refused.details, number=self._refused)
            return reply.having({"WWW-Authenticate": 'Basic realm="wms"'}) if refused.status == 401 else reply

    def _pass_time(self) -> None:
        moment = self._timer()
        seconds = self.pace.each + self.pace.speed * max(0.0, moment - self._seen)
        self._seen = moment
        if seconds:
            self.world.advance(seconds)

    def _routed(self, call: Call) -> Reply:
        path = call.path
        if path in ((self.environment, "api", "oauth2", "token"), ("oauth2", "v1", "token")):
            self.asked["token"] += 1
            return self.doors.token(call)
        self.doors.check(call)
        if path[:5] != (self.environment, "wms", "lgfapi", VERSION, "entity"):
            raise Refused(404, "Resource not found")
        if call.method not in ("GET", "HEAD"):
            raise Refused(405, f'Method "{call.method}" not allowed.')
        base = f"{self._host(call)}{self.root}entity"
        if len(path) == 5:
            self.asked["entities"] += 1
            return json_reply(200, {name: f"{base}/{name}" for name in sorted((*ENTITIES, *ALSO_LISTED))})
        name = path[5]
        if name not in ENTITIES or len(path) > 7:
            raise Refused(404, f"Entity not found: {name}")
        if name in self.doors.closed:
            raise Refused(403, "You do not have permission to perform this action.")
        if len(path) == 6:
            return self._list(name, base, urlsplit(call.target).query)
        return self._described(name) if path[6] == "describe" else self._row(name, base, path[6], call)

    def _described(self, name: str) -> Reply:
        self.asked["describe"] += 1
        return json_reply(200, description(tuple(self.world[name].fields)))

    def _row(self, name: str, base: str, word: str, call: Call) -> Reply:
        self.asked["row"] += 1
        found = self.world[name].table.get(int(word)) if word.isdigit() else None
        if found is None:
            raise Refused(404, "Not found.")
        query = self._query(name, urlsplit(call.target).query)
        body = self.world.renderer(name, base).row(*found)
        return Reply(200, chosen(json.loads(body), query.fields) if query.fields else body, _JSON)

    def _list(self, name: str, base: str, text: str) -> Reply:
        number, self.pages = self.pages, self.pages + 1
        query = self.mischief.adapted(self._query(name, text), number)
        self.asked["count" if query.size == 1 else "list"] += 1
        world, found = self.world, self.world[name]
        renderer = world.renderer(name, base)
        selection = Selection(
            found.table,
            renderer,
            query.filters,
            query.keys,
            fields=found.fields,
            stamps=world.stamps,
            salt=number + 1 if self.habits.shuffled_ties else 0,
            pairs=self._pairs,
        )
        page = page_of(selection, query, renderer, f"{base}/{name}/")
        if not page.rows and query.cursor is None:
            return self._nothing(page, query)
        own_url = f"{base}/{name}/?{text}"
        return Reply(200, self.mischief.body(number, name, page, own_url), _JSON)

    def _nothing(self, page: Page, query: Query) -> Reply:
        """No row matches: the API says so as the caller wishes, with 404 by default."""
        if query.empty == 204:
            return Reply(204, b"")
        if query.empty == 404:
            raise Refused(404, "No results found.")
        return Reply(200, page.body(), _JSON)

    def _query(self, name: str, text: str) -> Query:
        return read_query(text, self.world[name].fields, self.world.stamps, self.habits)

    def _host(self, call: Call) -> str:
        return self._public or f"http://{call.header('Host') or 'wms.invalid'}"
