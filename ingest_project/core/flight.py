"""One load of one chunk: cuts the stream, keeps batches in flight, and stops in good order.

Made by the Loader for one claim and thrown away; one event loop touches it. The ledger is kept in step in
stepping.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from typing import TypeVar, cast

from ingest_project.core.delivering import Courier, Gate, Offload, Sleep
from ingest_project.core.errors import BadInput, SourceChanged
from ingest_project.core.limits import Batcher, Cut, MemoryBudget
from ingest_project.core.model import Batch, ItemBlock, Position
from ingest_project.core.ports import ItemStream, Sink
from ingest_project.core.pressure import MemoryWatch
from ingest_project.core.stepping import Steps

T = TypeVar("T")

MOST_AHEAD = 4096
"""Cuts remembered behind one that is not done: about 1 MB."""

PULL_BYTES = 1 << 20
"""Blocks are read ahead up to so many bytes, or rows of the memory policy; at most two such readings are
held."""

Pulled = tuple[list[ItemBlock], BadInput | SourceChanged | None, bool]


class Flight:
    """The batches of one load between the stream and the sink; the courier's Account.

    Attributes:
        steps: Set by the maker before ``run``; it needs this flight's ``abort``.
        courier: Likewise.
    """

    steps: Steps
    courier: Courier

    def __init__(
        self,
        *,
        sink: Sink,
        stream: ItemStream,
        position: Position,
        budget: MemoryBudget,
        gate: Gate,
        offload: Offload,
        sleep: Sleep,
        memory: MemoryWatch,
    ) -> None:
        self._sink, self._stream, self._position = sink, stream, position
        self._budget, self._gate, self._offload = budget, gate, offload
        self._sleep, self._memory = sleep, memory
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[object]] = set()
        self._flying: dict[bytes, asyncio.Task[None]] = {}
        self._room: asyncio.Future[None] | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._reading: asyncio.Future[Pulled] | None = None
        self._fault: BadInput | SourceChanged | None = None
        self._error: BaseException | None = None

    async def run(self) -> BadInput | SourceChanged | None:
        """To the seal, or to the fault of the input, which is returned."""
        try:
            await self._transfer()
            await self.steps.rest()
            self.check()
            await self.steps.end(self._fault)
        except BaseException as error:
            await self.steps.give_up(error)
            raise
        return self._fault

    def check(self) -> None:
        """Raises what stopped the load, or LeaseLost when the claim is about to run out."""
        if self._error is not None:
            raise self._error
        self.steps.check()

    def sent(self, again: int, throttled: bool) -> None:
        traffic = self.steps.prefix.traffic
        traffic.requests += 1
        traffic.retries += again
        traffic.throttles += throttled

    async def idle(self, waiting: Awaitable[T]) -> T:
        """Await something that is cut short when the load stops; a request never is."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            return await waiting
        finally:
            self._waiting.discard(task)

    async def _transfer(self) -> None:
        """Read, send and flush everything; on return no request is in flight and no timer runs."""
        beat = asyncio.create_task(self.steps.beat())
        self._feeder = asyncio.create_task(self._feed())
        try:
            await asyncio.wait((self._feeder,))
            while self._tasks:
                await asyncio.wait(tuple(self._tasks))
            if self._error is None:
                await self.courier.flush()
        finally:
            beat.cancel()
            await self._land(beat)
        if self._error is not None:
            raise self._error

    async def _feed(self) -> None:
        """Cut the stream into batches and start their delivery as fast as window and budget allow."""
        position = self._position
        batcher = Batcher(self._sink.limits, position.ordinal)
        blocks = self._stream.blocks(position)
        try:
            more = True
            self._read(blocks)
            while more:
                assert self._reading is not None
                pulled, self._fault, more = await self._reading
                while not self._memory.look():
                    await self._sleep(self._memory.policy.look)
                if more:
                    self._read(blocks)
                for block in pulled:
                    for cut in batcher.feed(block):
                        await self._dispatch(cut)
            for cut in batcher.finish():
                await self._dispatch(cut)
        except BaseException as error:
            self.abort(error)

    def _read(self, blocks: Iterator[ItemBlock]) -> None:
        rows = self._memory.rows
        self._reading = asyncio.ensure_future(self._offload(lambda: pull(blocks, rows)))

    async def _dispatch(self, cut: Cut) -> None:
        while self.steps.full:
            await self._news()
        batch = cut.batch
        self.steps.prefix.push(cut)
        if batch is None:
            self.steps.settle(cut)
            return
        while not self._roomy(batch):
            await self._news()
        before = {self._flying[key] for key in cut.hashes if key in self._flying}
        if not before and not self._gate.try_enter(batch.bodies):
            try:
                await self._gate.enter(batch.bodies)
            except BaseException:
                self._budget.give(batch.size)
                raise
        task = asyncio.create_task(self._deliver(cut, batch, before))
        self._tasks.add(task)
        for key in cut.hashes:
            self._flying[key] = task

    async def _news(self) -> None:
        self._room = asyncio.get_running_loop().create_future()
        await self._room

    def _roomy(self, batch: Batch) -> bool:
        return self.steps.prefix.ahead <= MOST_AHEAD and self._budget.take(batch.size, alone=not self._tasks)

    async def _deliver(self, cut: Cut, batch: Batch, before: set[asyncio.Task[None]]) -> None:
        """From inside the gate, or, when an item's key is in flight, from behind those deliveries."""
        task = asyncio.current_task()
        assert task is not None
        inside = not before
        try:
            if before:
                await self.idle(asyncio.wait(before))
                await self.idle(self._gate.enter(batch.bodies))
                inside = True
            await self.courier.deliver(cut, batch)
            self.steps.settle(cut)
        except BaseException as error:
            self.abort(error)
        finally:
            if inside:
                self._gate.leave()
            self._budget.give(batch.size)
            self._tasks.discard(task)
            for key in cut.hashes:
                if self._flying.get(key) is task:
                    del self._flying[key]
            self.make_room()

    def make_room(self) -> None:
        """Something ended or became durable: the feeder may look again."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def abort(self, error: BaseException) -> None:
        """Nothing more is sent. Requests in flight come to their end; whoever only waits is woken."""
        if self._error is not None:
            return
        self._error = error
        current = asyncio.current_task()
        for task in (self._feeder, *self._waiting):
            if task is not None and task is not current:
                task.cancel()

    async def _land(self, beat: asyncio.Task[None]) -> None:
        """Wait for the timer's end and for what cannot be called back: requests, a reading, an advance."""
        if self._feeder is not None and not self._feeder.done():
            self.abort(asyncio.CancelledError())
        pending = [task for task in (self._feeder, self._reading, *self._tasks) if task]
        await asyncio.gather(beat, *pending, return_exceptions=True)
        # Its blocks would wait with this flight for a collection of cycles.
        self._reading = None
        await self.steps.quiet()


def pull(blocks: Iterator[ItemBlock], rows: int) -> Pulled:
    """The next blocks, the fault behind them if the input is broken there, and whether there may be more."""
    pulled: list[ItemBlock] = []
    items = size = 0
    try:
        while items < rows and size < PULL_BYTES:
            block = next(blocks, None)
            if block is None:
                return pulled, None, False
            pulled.append(block)
            items += len(block.entries)
            bodies = block.entries if block.plain else filter(_is_body, block.entries)
            size += sum(map(len, cast(Iterable[bytes], bodies)))
    except (BadInput, SourceChanged) as fault:
        return pulled, fault, False
    return pulled, None, True


def _is_body(entry: object) -> bool:
    return isinstance(entry, bytes)
