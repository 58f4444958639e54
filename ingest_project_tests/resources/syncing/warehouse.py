"""The simulated warehouse in this process, an engine that can be killed at any step, and a dict as target."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from ingest_project.core.model import Chunk, Counts, SourceFile
from ingest_project.core.paging import PagedApi, instant
from ingest_project.core.syncing import DONE, Landed, Sync
from ingest_project.formats.compression import inflated
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.syncs import SyncLedger
from ingest_project.resources.syncing.cutting import Grid
from ingest_project.resources.syncing.landing import PageStore
from ingest_project.resources.syncing.reader import LandingLimits
from ingest_project.resources.syncing.syncer import Syncer, SyncSettings
from ingest_project.sources.rest_api import PagingRules, RestApi
from ingest_project.testing.fault_messages import Call
from ingest_project.testing.faults import Killed
from ingest_project.testing.wms_api import Pace, WmsApi
from ingest_project.testing.wms_churn import Churn, Habit
from ingest_project.testing.wms_world import World
from ingest_project.wire.answer import Answer
from ingest_project_tests.resources.syncing.dying import Dice, Mortal

ENTITY, DATE = "allocation", "2026-01-01"
BASE = "https://wms.invalid"
_PAGE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


class _Death(msgspec.Struct):
    deleted_ts: str


class _Row(msgspec.Struct):
    id: int
    mod_ts: str = ""
    tombstone: _Death | None = msgspec.field(name="__tombstone__", default=None)


_ROW = msgspec.json.Decoder(_Row)


async def inline(call: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Offload to nowhere, as one of many that are at work."""
    await asyncio.sleep(0)
    return call(*args, **named)


class Shelf:
    """A medium without a disk: what a PageStore needs of one."""

    name = "memory:"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.deleted = 0

    def put(self, key: str, data: bytes) -> None:
        self.objects[f"{self.name}/{key}"] = data

    def children(self, prefix: str) -> Iterator[str]:
        where = f"{self.name}/{prefix}"
        return (uri.removeprefix(where) for uri in list(self.objects) if uri.startswith(where))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.deleted += self.objects.pop(f"{self.name}/{key}", None) is not None

    def stat(self, uri: str) -> SourceFile:
        size = len(self.objects[uri])
        return SourceFile(uri=uri, etag=str(size), size=size, modified=datetime.fromtimestamp(0, UTC))


class InProcess:
    """sources.rest_api.Caller over the simulator, without a network; counts what is asked."""

    def __init__(self, api: WmsApi) -> None:
        self.api = api
        self.targets: list[str] = []

    async def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, *, name: str = ""
    ) -> Answer:
        await asyncio.sleep(0)
        self.targets.append(target)
        reply = self.api.reply(Call(method, self.api.root.rstrip("/") + target, (), b""))
        lines = [(key.encode(), value.encode()) for key, value in reply.headers]
        return Answer(reply.status, lines, reply.body)

    async def aclose(self) -> None:
        """Nothing is open."""


class Anybody:
    """sources.rest_api.Login of an API that lets all in."""

    async def headers(self) -> Mapping[str, str]:
        return {}

    def refused(self, headers: Mapping[str, str]) -> bool:
        return False


class Warehouse:
    """A world of one entity, its API and what a sync needs. ``page`` rows a page; ``each`` virtual seconds a
    request."""

    def __init__(
        self,
        folder: Path,
        *,
        rows: int,
        seed: int = 0,
        page: int = 50,
        each: float = 0.0,
        habit: Habit | None = None,
        skew: tuple[float, ...] = (0.0,),
        ties: int = 130,
        entity: str = ENTITY,
    ) -> None:
        self.entity = entity
        self.world = World(rows={entity: rows}, seed=seed, skew=skew, ties=ties)
        if habit is not None:
            self.world.life = Churn(seed, {entity: habit}, begin=self.world.now)
        self.caller = InProcess(WmsApi(self.world, public=BASE, pace=Pace(each=each), timer=lambda: 0.0))
        self.api = RestApi(
            self.caller,
            f"{BASE}{self.caller.api.root.rstrip('/')}",
            Anybody(),
            clock=lambda: 0.0,
            sleep=asyncio.sleep,
            rng=Random(seed),
            rules=PagingRules(page_size=page),
        )
        self.now = 0.0
        self.ledger = SqlLedger(folder / "ledger.db", clock=lambda: self.now).syncs
        self.shelf = Shelf()
        self.store = PageStore(self.shelf, self.shelf.stat)
        self.settings = SyncSettings(
            grid=Grid(slots=4, pieces=4, page_rows=page), landing=LandingLimits(page_rows=page, lease=60.0)
        )

    def syncer(self, *, owner: str = "run", dice: Dice | None = None, **more: Any) -> Syncer:
        def seen(one: Any) -> Any:
            return one if dice is None else Mortal(one, dice)

        api: PagedApi = seen(self.api)
        ledger: SyncLedger = seen(self.ledger)
        store: PageStore = seen(self.store)
        known = {"settings": self.settings, "wall": lambda: self.world.now / 1e6} | more
        return Syncer(api, ledger, store, entity=self.entity, owner=owner, offload=inline, **known)

    async def sync(self, mode: str, *, date: str = DATE, **more: Any) -> Sync:
        """Plan and read until the sync is through."""
        syncer = self.syncer(**more)
        sync = await syncer.plan_sync(mode, date)
        outcomes = await syncer.read_slices(sync.date)
        assert {one.state for one in outcomes} <= {DONE}, outcomes
        return self.ledger.syncs(self.entity, mode)[0]

    async def sync_through_deaths(self, mode: str, rng: Random, chance: float) -> int:
        """The same with processes that die; how many did. Each goes by another name, or by the same."""
        deaths = 0
        while True:
            dice = Dice(chance, rng)
            syncer = self.syncer(owner=f"run {rng.randrange(2)}", dice=dice)
            try:
                sync = await syncer.plan_sync(mode, DATE)
                outcomes = await syncer.read_slices(sync.date)
            except Killed:
                deaths += 1
                chance *= 0.9
            else:
                if all(one.state == DONE for one in outcomes):
                    return deaths
            self.now += rng.choice((1.0, 100.0))

    def landed(self, *modes: str) -> list[Landed]:
        found = self.ledger.landed(self.entity, DATE)
        return [one for one in found if not modes or one.slice.mode in modes]

    def truth(self) -> dict[int, bytes]:
        """The rows that exist now, digests of how they stand in answers."""
        base = f"{BASE}{self.caller.api.root}entity"
        ids = [row.id for row in self.world.truth(self.entity)]
        return dict(zip(ids, map(digest, self.world.truth_bytes(self.entity, base)), strict=True))


def rows_of(landed: Landed, data: bytes) -> list[bytes]:
    """The rows of a landed object; it holds what the ledger says."""
    content = b"".join(inflated("zstd", [data], lambda: [data]))
    assert landed.bytes == len(content)
    pages = content.splitlines()
    assert landed.pages == len(pages)
    found = [bytes(row) for page in pages for row in _ROWS.decode(_PAGE.decode(page)["results"])]
    assert landed.rows == len(found)
    return found


def digest(raw: bytes) -> bytes:
    """In place of a row: a hundred thousand orders are 400 MB."""
    return blake2b(raw, digest_size=16).digest()


def version_of(raw: bytes) -> tuple[int, int]:
    """Id and version, as docs/decisions/0016 has them."""
    row = _ROW.decode(raw)
    if row.tombstone is not None:
        return row.id, 2 * instant(row.tombstone.deleted_ts) + 1
    return row.id, 2 * instant(row.mod_ts)


class Target:
    """id -> digest of the row with the highest version, whatever comes when."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._rows: dict[int, tuple[int, bytes]] = {}

    def take(self, landed: list[Landed], rng: Random | None = None) -> Target:
        """Deliver these objects, in their order or in any."""
        for one in landed if rng is None else rng.sample(landed, len(landed)):
            for raw in rows_of(one, self._shelf.objects[one.uri]):
                row, version = version_of(raw)
                if version >= self._rows.get(row, (-1, b""))[0]:
                    self._rows[row] = version, digest(raw)
        return self

    def rows(self) -> dict[int, bytes]:
        """Those that are no tombstones."""
        return {row: raw for row, (version, raw) in self._rows.items() if version % 2 == 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """How a target differs from the source."""

    missing: int
    stale: int
    resurrected: int

    @property
    def total(self) -> int:
        return self.missing + self.stale + self.resurrected


def losses(target: Mapping[int, bytes], truth: Mapping[int, bytes]) -> Losses:
    return Losses(
        missing=len(truth.keys() - target.keys()),
        stale=sum(target[row] != truth[row] for row in truth.keys() & target.keys()),
        resurrected=len(target.keys() - truth.keys()),
    )


def short(settings: SyncSettings, **changes: Any) -> SyncSettings:
    """The settings with other values."""
    return replace(settings, **changes)


class Listener:
    """core.ports.Progress that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int, int]] = []
        self.stages: set[str] = set()

    def __call__(self, stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        self.stages.add(stage)
        self.told.append((chunk.slot, done, chunk.records))
