"""Workshop: the stages of each step, put together from a deployment's settings. What they do is their own.

Nothing is connected to here: clients connect when a stage has work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random

from ingest_project.core.breaking import CircuitBreaker
from ingest_project.core.bucket_standing import standing
from ingest_project.core.documents import Stage
from ingest_project.core.encoding import Encoder
from ingest_project.core.extracting import TXT, Extractor, Handlers
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits
from ingest_project.core.posting import Poster
from ingest_project.core.retrying import RetryPolicy
from ingest_project.entities.gazettes import indices, segmenters
from ingest_project.entities.gazettes.downloaded import Downloaded
from ingest_project.entities.gazettes.excerpts import Excerpts
from ingest_project.entities.gazettes.indexed import Indexed
from ingest_project.entities.gazettes.processed import Processed
from ingest_project.entities.gazettes.ranked import Ranked, ranked_stage
from ingest_project.entities.gazettes.register import Buckets, GazetteRegister
from ingest_project.entities.gazettes.segmenters import registered
from ingest_project.entities.gazettes.segments import Segmenting
from ingest_project.entities.gazettes.spec import (
    COLLECTION,
    DOWNLOADED,
    EXCERPTS,
    INDEXED,
    RANKED,
    SEGMENTS,
    TEXTS,
)
from ingest_project.entities.gazettes.texts import Texts
from ingest_project.entities.gazettes.themes import Theme, load_themes
from ingest_project.entities.gazettes.towns import Town, Towns
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.connect import opensearch_api, s3_client, tls_context
from ingest_project.resources.deployments import Settings
from ingest_project.resources.documents.transfers import Transfers
from ingest_project.resources.encoders.cached import CachedEncoder
from ingest_project.resources.encoders.choosing import encoder_of
from ingest_project.resources.gazettes_access import TIKA
from ingest_project.resources.owner import is_dead, new_owner
from ingest_project.resources.postgresql import Postgres
from ingest_project.sinks.live_index import LiveIndex, LiveSettings
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.s3 import BucketObjects
from ingest_project.sinks.texts import TextStore, bucket_texts
from ingest_project.sources.extract_workers import ExtractWorkers
from ingest_project.sources.kreuzberg_engine import kreuzberg
from ingest_project.sources.plain_text import PlainText
from ingest_project.sources.tika import HEALTH, TikaExtractor
from ingest_project.wire.guarded import CallLimits, GuardedClient
from ingest_project.wire.http import Endpoint

CONNECT_ALLOWANCE, ANSWER_SECONDS = 30.0, 300.0
"""What the domain gives a file: to be sent, and to be answered."""

INDEX_SECONDS = 120.0
"""For one request: a node analyzes texts of megabytes in three ways."""

FAST_FROM = 1000
"""So many open documents are indexed without refreshes between them, unless the deployment says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The stages of one deployment."""

    settings: Settings
    ledger: SqlDocumentLedger

    @asynccontextmanager
    async def open(self, step: str) -> AsyncIterator[Sequence[Stage]]:
        """resources.documents.desk.OpenStages: a step's stages; what they hold is given back at the end."""
        async with AsyncExitStack() as stack:
            yield await self._stages(step, stack)

    async def _stages(self, step: str, stack: AsyncExitStack) -> Sequence[Stage]:
        if step == DOWNLOADED:
            return [Downloaded(self.files(), await self._transfers(stack), batch=self._batch)]
        if step == TEXTS:
            return [await self._texts(stack)]
        if step == SEGMENTS:
            return [self._segments(stack)]
        if step == INDEXED:
            return [self.indexed(await self._open(stack))]
        if step == EXCERPTS:
            return await self._excerpts(stack)
        if step == RANKED:
            return await self._ranked(stack)
        return [self._processed(stack)]

    @property
    def themes(self) -> tuple[Theme, ...]:
        """What is looked for; nothing where no file is named."""
        path = self.settings.gazettes.themes
        return load_themes(path) if path else ()

    @property
    def _batch(self) -> int:
        return self.settings.gazettes.batch

    @property
    def retry(self) -> RetryPolicy:
        knobs = self.settings.retry
        return RetryPolicy(attempts=knobs.attempts, base=knobs.base, cap=knobs.cap)

    def files(self) -> BucketObjects:
        """What ``file_path`` of a row is a key of."""
        place = self.settings.gazettes.files
        return BucketObjects(s3_client(self.settings), place.bucket, place.prefix)

    def texts(self) -> TextStore:
        """Where texts lie."""
        place = self.settings.gazettes.store
        return bucket_texts(s3_client(self.settings), place.bucket, place.prefix)

    def register(self, stack: AsyncExitStack) -> GazetteRegister:
        """The database's tables; its connections are given back with the stack."""
        postgres = self.postgres()
        stack.callback(postgres.close)
        return register_of(self.settings, postgres)

    def postgres(self) -> Postgres:
        access = self.settings.gazettes
        return Postgres(access.database_url, most=access.pool_size)

    def indexed(self, index: LiveIndex) -> Indexed:
        """The stage that writes into that index."""
        return Indexed(
            index, self.texts(), self.ledger.segments, COLLECTION.name, batch=self.settings.gazettes.bulk
        )

    def live(
        self, api: OpenSearchApi, theme: Theme | None, *, beside: str = "", fast: bool = True
    ) -> LiveIndex:
        """The index of gazettes or of a theme, or one that is made beside it. The caller closes it."""
        settings = self.settings
        alias = settings.gazettes.index if theme is None else theme.index
        contract = indices.gazettes() if theme is None else indices.excerpts()
        most = settings.limits.opensearch_batch_bytes
        told = LiveSettings(
            holder=new_owner(),
            is_dead=is_dead,
            require_write=lambda name: settings.require_write("opensearch", name),
            fast=fast,
            limits=BatchLimits(count=settings.gazettes.bulk, bytes=most, overhead=0, unit=1),
            rebuild="ingest gazettes reindex",
        )
        return LiveIndex(api, alias, contract, self._poster, told, beside=beside)

    def encoder(self) -> Encoder:
        """What ranks; its vectors are kept in the ledger."""
        return CachedEncoder(encoder_of(self.settings.gazettes.encoder), self.ledger.vectors)

    async def _transfers(self, stack: AsyncExitStack) -> Transfers:
        connections = max(10, self.settings.limits.in_flight)
        at_once = min(connections, self._batch * self.settings.gazettes.workers)
        return await stack.enter_async_context(Transfers(at_once=at_once))

    async def _texts(self, stack: AsyncExitStack) -> Texts:
        return Texts(
            self.files(),
            self.texts(),
            await self._handlers(stack),
            self.ledger.extractions,
            await self._transfers(stack),
            batch=self._batch,
        )

    async def _handlers(self, stack: AsyncExitStack) -> Handlers:
        """Text files are read as they are; everything else goes to the deployment's extractor."""
        access = self.settings.gazettes
        other: Extractor
        if access.extractor == TIKA:
            other = await self._tika(stack)
        else:
            other = await stack.enter_async_context(ExtractWorkers(kreuzberg(), workers=access.workers))
        plain = PlainText()
        return {kind: plain if kind == TXT else other for kind in sorted(access.kinds)}

    async def _tika(self, stack: AsyncExitStack) -> TikaExtractor:
        access = self.settings.gazettes
        seconds = CONNECT_ALLOWANCE + ANSWER_SECONDS
        endpoint = Endpoint(
            access.tika_url, connections=access.workers, timeout=seconds, tls=tls_context(self.settings)
        )
        client = GuardedClient(
            endpoint,
            retry=self.retry,
            breaker=CircuitBreaker(time.monotonic),
            clock=time.monotonic,
            sleep=asyncio.sleep,
            rng=Random(),
            limits=CallLimits(at_once=access.workers, rate=access.tika_rate, deadline=3 * seconds),
            health=HEALTH,
        )
        await stack.enter_async_context(client)
        return TikaExtractor(client, ocr=access.ocr, stream_from=access.stream_from)

    def _segments(self, stack: AsyncExitStack) -> Segmenting:
        register = self.register(stack)

        def towns() -> Towns:
            return Towns(Town(**row) for row in register.territories())

        return Segmenting(
            self.texts(), self.ledger.segments, towns, registered(segmenters), batch=self._batch
        )

    async def _excerpts(self, stack: AsyncExitStack) -> list[Stage]:
        if not self.themes:
            return []
        gazettes = await self._open(stack)
        return [Excerpts(theme, gazettes, await self._open(stack, theme)) for theme in self.themes]

    async def _ranked(self, stack: AsyncExitStack) -> list[Stage]:
        themes = self.themes
        if not themes:
            return []
        return [Ranked(theme, await self._open(stack, theme), self.encoder()) for theme in themes]

    def _processed(self, stack: AsyncExitStack) -> Processed:
        register, settings = self.register(stack), self.settings

        def mark(ids: Sequence[str]) -> int:
            settings.require_write("postgresql", settings.gazettes.database[1])
            return register.mark_processed(ids)

        after = (INDEXED, *(ranked_stage(theme) for theme in self.themes))
        return Processed(mark, after, batch=settings.gazettes.bulk)

    async def _open(self, stack: AsyncExitStack, theme: Theme | None = None) -> LiveIndex:
        api = await stack.enter_async_context(opensearch_api(self.settings, timeout=INDEX_SECONDS))
        live = self.live(api, theme, fast=await asyncio.to_thread(self._fast))
        stack.push_async_callback(live.close)
        return live

    def _fast(self) -> bool:
        when = self.settings.load_mode.when
        if when != "auto":
            return when == "always"
        return standing(self.ledger.states(COLLECTION.name)).open >= FAST_FROM

    def _poster(self, sink: OpenSearchSink) -> Poster:
        return Poster(
            sink,
            retry=self.retry,
            governor=RateGovernor(time.monotonic, most=self.settings.limits.in_flight),
            clock=time.monotonic,
            sleep=asyncio.sleep,
            rng=Random(),
        )


def register_of(settings: Settings, postgres: Postgres) -> GazetteRegister:
    """The tables of a deployment's database, its rows in the collection's buckets."""
    buckets = Buckets(collection=COLLECTION.name, start=COLLECTION.start, numbers=COLLECTION.numbers)
    return GazetteRegister(postgres, buckets=buckets, page=settings.gazettes.fetch)
