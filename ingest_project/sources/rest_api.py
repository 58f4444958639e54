"""RestApi: the lists of the warehouse API over a guarded client: ordered, filtered, advancing, or an error
that names the request.

Reads only. How often a request is tried is the client's; how much may be asked is its pace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol, Self, TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from ingest_project.core.errors import AccessRefused, PermanentFailure, TransientFailure
from ingest_project.core.paging import MOST_ROWS, Field, Page, complaint
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sources.rest_bodies import (
    EMPTY,
    Listing,
    description,
    entity_names,
    explain,
    listing,
)
from ingest_project.wire.answer import Answer

T = TypeVar("T")

BROKEN = RetryPolicy(attempts=4, base=0.5, cap=5.0)


class BrokenPage(TransientFailure):
    """An answer that is cut off or not as documented, however often it was asked for."""


class PageOutOfOrder(PermanentFailure):
    """A page that repeats, does not advance or was not filtered as asked: going on would lose rows or never
    end."""


class OutOfTime(TransientFailure):
    """The time of the run is over; the next run goes on from its bookmark."""


class NoSuchEntity(PermanentFailure):
    """The API does not know this entity, or not for this user."""


class Caller(Protocol):
    """What GuardedClient does."""

    async def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, *, name: str = ""
    ) -> Answer: ...

    async def aclose(self) -> None: ...


class Login(Protocol):
    """Who asks."""

    async def headers(self) -> Mapping[str, str]:
        """Of the next request."""
        ...

    def refused(self, headers: Mapping[str, str]) -> bool:
        """The server refused a request with these headers (401). True: others may do better, once."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PagingRules:
    """How lists are asked for.

    Attributes:
        page_size: Rows a page where the query names none.
        page_mode: ``sequenced`` (no counting on the server) or ``paged``, where the query names none.
        filters: Of every list, ``company_id__code`` for instance.
        broken: How often and when a page that is broken or out of order is asked for again.
        run_seconds: From the first request on, for all of them.
    """

    page_size: int = MOST_ROWS
    page_mode: str = "sequenced"
    filters: Mapping[str, str] = field(default_factory=dict)
    broken: RetryPolicy = BROKEN
    run_seconds: float = 10_800.0

    def __post_init__(self) -> None:
        if not 1 <= self.page_size <= MOST_ROWS:
            raise ValueError(f"a page has 1 to {MOST_ROWS} rows, not {self.page_size}")


class RestApi:
    """A PagedApi (core.paging). Use as ``async with``, or call ``aclose``.

    Args:
        client: Its endpoint's URL is the base of the API (``.../lgfapi/v10``); paths are behind it.
        base: That URL.
    """

    def __init__(
        self,
        client: Caller,
        base: str,
        login: Login,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        rng: Random,
        rules: PagingRules | None = None,
    ) -> None:
        self._client, self._base, self._login = client, base.rstrip("/"), login
        self._clock, self._sleep, self._rng = clock, sleep, rng
        self._rules = rules or PagingRules()
        self._ends: float | None = None
        self._known: set[str] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._login.aclose()
        await self._client.aclose()

    async def page(self, entity: str, query: Mapping[str, str]) -> Page:
        """The first page of a query, in the order and within the filters asked for.

        Args:
            query: ``ordering``, lookups and ``fields``; ``page_size`` up to 1250 and ``page_mode`` when they
                shall not be those of the rules.

        Raises:
            PageOutOfOrder: The server does not keep to the query.
            NoSuchEntity: Nothing of this name.
            PermanentFailure: Refused, with the API's code and reference.
            TransientFailure: Tries or time are used up.
        """
        asked = self._asked(query)
        target = f"{_list_of(entity)}?{urlencode(asked)}"
        return await self._read(Page(body=b"", rows=(), entity=entity, query=tuple(asked.items())), target)

    async def next(self, page: Page) -> Page | None:
        """The page behind one, by the link that the API gave; None behind the last.

        Raises:
            PageOutOfOrder: It repeats what was there, or does not advance.
        """
        if not page.next_page:
            return None
        target = self._own(page)
        if target in (page.request, page.mark):
            raise PageOutOfOrder(f"GET {self._base}{page.request}: its next page is one that was read before")
        return await self._read(page, target)

    async def count(self, entity: str, query: Mapping[str, str]) -> int:
        """Rows that match, by one request for one id."""
        asked = {"page_mode": "paged", "page_size": "1", "fields": "id"}
        page = await self.page(entity, {**query, **asked})
        if page.result_count is None:
            raise BrokenPage(f"GET {self._base}{page.request}: no result_count")
        return page.result_count

    async def describe(self, entity: str) -> tuple[Field, ...]:
        """The fields of an entity, in the API's order."""
        target = f"{_list_of(entity)}describe/"
        fields = await self._decoded(target, description)
        if fields is None:
            raise NoSuchEntity(f"GET {self._base}{target}: there is no entity {entity}")
        self._known.add(entity)
        return fields

    async def entities(self) -> tuple[str, ...]:
        """Names of all entities, sorted."""
        names = await self._decoded("/entity/", entity_names)
        if names is None:
            raise PermanentFailure(f"GET {self._base}/entity/: HTTP 404: is this the base of the API?")
        return names

    def _asked(self, query: Mapping[str, str]) -> dict[str, str]:
        rules = self._rules
        asked = {"page_mode": rules.page_mode, "page_size": str(rules.page_size), **rules.filters, **query}
        if not 1 <= int(asked["page_size"]) <= MOST_ROWS:
            raise ValueError(f"a page has 1 to {MOST_ROWS} rows, not {asked['page_size']}")
        return asked

    def _own(self, page: Page) -> str:
        """The link's path and query. Credentials go nowhere else than to the API."""
        base, link = urlsplit(self._base), urlsplit(page.next_page)
        # Behind a balancer the API may name another scheme, never another host.
        here = not link.netloc or (link.hostname == base.hostname and link.port in (None, base.port))
        if not here or not link.path.startswith(f"{base.path}/"):
            raise PermanentFailure(
                f"GET {self._base}{page.request}: its next page is elsewhere: {page.next_page[:200]}"
            )
        size = dict(parse_qsl(link.query)).get("page_size", "1")
        if not size.isdigit() or int(size) > MOST_ROWS:
            raise PageOutOfOrder(f"GET {self._base}{page.request}: its next page has page_size={size}")
        return f"{link.path[len(base.path) :]}?{link.query}"

    async def _read(self, before: Page, target: str) -> Page:
        """Ask until a whole page comes that keeps to the query; finitely."""
        query, after = dict(before.query), before.rows[-1] if before.rows else None
        tries, name = 0, f"GET {self._base}{target}"
        while True:
            tries += 1
            found = await self._listing(before.entity, target)
            if isinstance(found, str):
                error: Exception = BrokenPage(f"{name}: {tries} times no whole page: {found}")
            else:
                page = _page(before, target, *found)
                wrong = complaint(page.rows, query, after)
                if not wrong:
                    return page
                error = PageOutOfOrder(f"{name}: {wrong}{_advice(query)}")
            await self._again(tries, error)

    async def _listing(self, entity: str, target: str) -> tuple[bytes, Listing] | str:
        """A page, or what is wrong with it."""
        answer = await self._get(target)
        if answer.status == 404:
            # The API's word for a list without a match, unless the entity itself is not there.
            if entity not in self._known:
                await self.describe(entity)
            return EMPTY, Listing(results=[], result_count=0)
        try:
            return answer.body, listing(answer.body)
        except ValueError as error:
            return f"{error} ({len(answer.body)} bytes)"

    async def _decoded(self, target: str, decode: Callable[[bytes], T]) -> T | None:
        """A decoded answer; None: there is nothing (404)."""
        tries = 0
        while True:
            tries += 1
            answer = await self._get(target)
            if answer.status == 404:
                return None
            try:
                return decode(answer.body)
            except ValueError as error:
                wrong = BrokenPage(f"GET {self._base}{target}: {tries} times not as documented: {error}")
            await self._again(tries, wrong)

    async def _get(self, target: str) -> Answer:
        """200, or 404 for the caller to explain."""
        renewed = False
        while True:
            headers = {"Accept": "application/json", **await self._login.headers()}
            try:
                answer = await self._timely(target, headers)
                break
            except AccessRefused as error:
                if renewed or error.status != 401 or not self._login.refused(headers):
                    raise
                renewed = True
        if answer.status not in (200, 404):
            raise PermanentFailure(f"GET {self._base}{target}: HTTP {answer.status}: {explain(answer)}")
        return answer

    async def _timely(self, target: str, headers: Mapping[str, str]) -> Answer:
        """One call within the time of the run."""
        now, name = self._clock(), f"GET {self._base}{target}"
        if self._ends is None:
            self._ends = now + self._rules.run_seconds
        try:
            async with asyncio.timeout(self._ends - now):
                return await self._client.call("GET", target, headers, name=name)
        except TimeoutError as error:
            raise OutOfTime(
                f"{name}: the {self._rules.run_seconds:,.0f} s of this run are over; the next run goes on "
                "from the bookmark"
            ) from error

    async def _again(self, tries: int, error: Exception) -> None:
        """Wait before the next try, or raise."""
        delay = self._rules.broken.delay(tries, self._rng)
        if delay is None:
            raise error
        await self._sleep(delay)


def _list_of(entity: str) -> str:
    return f"/entity/{quote(entity, safe='')}/"


def _page(before: Page, target: str, body: bytes, content: Listing) -> Page:
    hops = before.hops + 1 if before.request else 0
    # A circle of any length is met again by a mark that stays at powers of two.
    mark = before.request if hops & (hops - 1) == 0 else before.mark
    return replace(
        before,
        body=body,
        rows=content.rows,
        next_page=content.next_page or "",
        result_count=content.result_count,
        request=target,
        hops=hops,
        mark=mark,
    )


def _advice(query: Mapping[str, str]) -> str:
    if query.get("page_mode") != "sequenced":
        return ""
    return " (the order is not promised with page_mode=sequenced: try INGEST_WMS_PAGE_MODE=paged)"
