"""ComparingSink: puts only what differs from what stands in the table. What is equal already is unchanged.

One read and at most one write a batch; no retry, no loop over a stream. Whoever runs it again writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ingest_project.core.access_patterns import Lookup, Typed
from ingest_project.core.accounting import part_of
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, KeySchema, WriteReport
from ingest_project.core.ports import Sink
from ingest_project.formats.item_digests import item_bytes
from ingest_project.sinks.isolating import Tally, write_apart

_decode = msgspec.json.Decoder().decode


class Standing(Protocol):
    """Items by their keys: sinks.table_reading.TableReader has it. It must not try again by itself."""

    async def lookup(self, pattern: Lookup, keys: Sequence[Typed]) -> list[dict[str, Any]]: ...


class ComparingSink:
    """core.ports.Sink in front of another one over the same table.

    Args:
        inner: Writes what differs.
        reader: Tells what stands.
        pattern: By which it is asked: consistent, and for all attributes.
        keys: The table's.
    """

    def __init__(self, inner: Sink, reader: Standing, pattern: Lookup, keys: KeySchema) -> None:
        self._inner, self._reader, self._pattern, self._keys = inner, reader, pattern, keys

    @property
    def limits(self) -> BatchLimits:
        return self._inner.limits

    async def identity(self) -> str:
        return await self._inner.identity()

    async def flush(self) -> None:
        await self._inner.flush()

    async def write(self, batch: Batch) -> WriteReport:
        """Compare the batch's items and put those that differ; see core.ports.Sink."""
        # A key that the service refuses spoils the read for all: so it is looked for as for a write.
        return await write_apart(self._send, batch.bodies)

    async def _send(self, bodies: Sequence[bytes]) -> WriteReport:
        items = [_decode(body)["Item"] for body in bodies]
        keys = [{name: item[name] for name, _ in self._keys.parts} for item in items]
        found = await self._reader.lookup(self._pattern, keys)
        standing = {self._key(item): item_bytes(item) for item in found}
        differing = [at for at, item in enumerate(items) if standing.get(self._key(item)) != item_bytes(item)]
        tally = Tally(unchanged=len(bodies) - len(differing))
        if differing:
            whole = Batch(bodies=bodies, ordinals=range(len(bodies)), size=0)
            tally.add(await self._inner.write(part_of(whole, differing)), differing)
        return tally.report()

    def _key(self, item: Mapping[str, Any]) -> bytes:
        return item_bytes({name: item[name] for name, _ in self._keys.parts})
