"""SinkLaws: the rules of ports.Sink as a test class that every sink's tests inherit (laws 2, 3, 9, 10)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import pytest

from ingest_project.core.model import Batch, WriteReport
from ingest_project.core.ports import Sink

HOSTILE = ("", " ", '"', "\\", "a\nb", "\t", "é", "\U0001f600", "\u2028", "}{", "%s", "x" * 5000)


class SinkProbe(Protocol):
    """What the laws need beside the sink: bodies it takes, and a look at the target with another client."""

    @property
    def sink(self) -> Sink: ...

    def body(self, key: str, value: str) -> bytes:
        """An item with this key and this text."""
        ...

    def refused(self, key: str) -> bytes | None:
        """An item that only the target itself refuses, or None when there is no such thing."""
        ...

    async def read(self) -> Mapping[str, str]:
        """Key -> text of everything in the target. Not through the code under test."""
        ...


def batch_of(bodies: list[bytes], first: int = 0) -> Batch:
    return Batch(
        bodies=bodies, ordinals=range(first, first + len(bodies)), size=sum(len(body) for body in bodies)
    )


def settled(report: WriteReport) -> int:
    return report.written + report.superseded + report.unchanged + len(report.refusals)


class SinkLaws:
    """An adapter overrides ``probe`` with an empty target; fixture and tests are asynchronous."""

    @pytest.fixture
    def probe(self) -> SinkProbe:
        raise NotImplementedError("override the fixture `probe`: a SinkProbe over an empty target")

    async def test_the_limits_hold_something(self, probe: SinkProbe) -> None:
        assert probe.sink.limits.count >= 1
        assert probe.sink.limits.bytes >= 1

    async def test_the_target_has_an_identity_that_stays(self, probe: SinkProbe) -> None:
        assert await probe.sink.identity()
        assert await probe.sink.identity() == await probe.sink.identity()

    async def test_a_full_batch_arrives(self, probe: SinkProbe) -> None:
        items = {f"k{number}": f"v{number}" for number in range(min(probe.sink.limits.count, 100))}
        report = await probe.sink.write(batch_of([probe.body(key, value) for key, value in items.items()]))
        await probe.sink.flush()
        assert (len(items), 0) == (settled(report), len(report.retry))
        assert items == await probe.read()

    async def test_every_text_comes_back_as_it_is(self, probe: SinkProbe) -> None:
        items = {f"k{number}": text for number, text in enumerate(HOSTILE)}
        await probe.sink.write(batch_of([probe.body(key, value) for key, value in items.items()]))
        await probe.sink.flush()
        assert items == await probe.read()

    async def test_a_later_write_of_a_key_replaces_the_earlier_one(self, probe: SinkProbe) -> None:
        for value in ("old", "new"):
            await probe.sink.write(batch_of([probe.body("k", value)]))
        await probe.sink.flush()
        assert await probe.read() == {"k": "new"}

    async def test_writing_a_batch_again_changes_nothing(self, probe: SinkProbe) -> None:
        batch = batch_of([probe.body(f"k{number}", "v") for number in range(5)])
        reports = [await probe.sink.write(batch) for _ in range(3)]
        await probe.sink.flush()
        assert [settled(report) for report in reports] == [5, 5, 5]
        assert {f"k{number}": "v" for number in range(5)} == await probe.read()

    async def test_a_refused_item_is_named_and_harms_no_neighbour(self, probe: SinkProbe) -> None:
        bad = probe.refused("bad")
        if bad is None:
            return
        bodies = [probe.body("a", "1"), bad, probe.body("b", "2")]
        report = await probe.sink.write(batch_of(bodies))
        await probe.sink.flush()
        assert [refusal.index for refusal in report.refusals] == [1]
        assert report.refusals[0].reason
        assert (settled(report), len(report.retry)) == (3, 0)
        assert await probe.read() == {"a": "1", "b": "2"}

    async def test_many_batches_may_be_in_flight_at_once(self, probe: SinkProbe) -> None:
        batches = [
            batch_of([probe.body(f"k{number}-{item}", "v") for item in range(5)], 5 * number)
            for number in range(32)
        ]
        reports = await asyncio.gather(*(probe.sink.write(batch) for batch in batches))
        await probe.sink.flush()
        assert sum(map(settled, reports)) == 160
        assert len(await probe.read()) == 160

    async def test_a_single_item_may_go_alone(self, probe: SinkProbe) -> None:
        report = await probe.sink.write(batch_of([probe.body("only", "v")], 1_000_000))
        await probe.sink.flush()
        assert settled(report) == 1
        assert await probe.read() == {"only": "v"}
