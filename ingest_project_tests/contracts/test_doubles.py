"""The in-memory sink, source and streams obey the laws that the real ones are held to."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import pytest

from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Fault, PartInfo, Rejection, SourceFile
from ingest_project.core.streaming import PartStream
from ingest_project.testing.doubles import InMemoryPartStore, InMemorySink, InMemorySource, ListStream
from ingest_project.testing.laws import SinkLaws, SourceLaws, StreamCase, StreamLaws
from ingest_project.testing.laws_parts import packed
from ingest_project.testing.samples import key_hash, sample_chunk


class Probe:
    def __init__(self) -> None:
        self.sink = InMemorySink(
            limits=BatchLimits(count=50, bytes=1 << 20),
            latency=0.001,
            refuse=lambda body: "no" if body.endswith(b"=refuse me") else "",
        )

    def body(self, key: str, value: str) -> bytes:
        return f"{key}={value}".encode()

    def refused(self, key: str) -> bytes | None:
        return self.body(key, "refuse me")

    async def read(self) -> Mapping[str, str]:
        return {key.decode(): body.decode().partition("=")[2] for key, body in self.sink.table.items()}


class TestInMemorySink(SinkLaws):
    @pytest.fixture
    def probe(self) -> Probe:
        return Probe()


class MemoryShelf:
    def __init__(self) -> None:
        self.source = InMemorySource(batch=7, gap=5)

    def put(self, name: str, records: Sequence[bytes]) -> SourceFile:
        return self.source.put(f"file:///in/{name}", records)

    def put_broken(self, name: str, records: Sequence[bytes]) -> SourceFile:
        return self.source.put(f"file:///in/{name}", records, broken=True)


class TestInMemorySource(SourceLaws):
    count = 300

    @pytest.fixture
    def shelf(self) -> MemoryShelf:
        return MemoryShelf()


LETTER = Rejection(ordinal=3, offset=3, reason="bad", raw=b"raw")


class TestListStream(StreamLaws):
    @pytest.fixture(params=[0, 2])
    def case(self, request: pytest.FixtureRequest) -> StreamCase:
        entries = [b"a=1", b"b=2", None, LETTER, *(b"k%d=v" % number for number in range(20))]
        hashes = [key_hash(number) for number in range(len(entries))]
        stream = ListStream(entries, hashes=hashes, size=4, early=request.param)
        return StreamCase(stream=stream, entries=entries)


class TestPartStream(StreamLaws):
    """Three parts, two losers, one item that cannot be encoded, with and without a fault behind the last."""

    @pytest.fixture(params=[False, True])
    def case(self, request: pytest.FixtureRequest) -> StreamCase:
        chunk = sample_chunk(fault=Fault(offset=99, expected="a comma") if request.param else None)
        store = InMemoryPartStore()
        lines = [b"k%d=v" % number for number in range(25)]
        infos = []
        for number, first in enumerate((0, 10, 20)):
            piece = lines[first : first + 10]
            info = PartInfo(number=number, first=first, records=len(piece), bytes=sum(map(len, piece)))
            offsets = range(first, first + len(piece))
            store.write(chunk, info, packed(store, piece), [key_hash(line) for line in piece], offsets)
            infos.append(info)
        store.publish(chunk, infos)

        def encode(block: Sequence[bytes]) -> tuple[Sequence[bytes], Mapping[int, str]]:
            bad = {at: "no body" for at, line in enumerate(block) if line == b"k12=v"}
            return [b"<" + line + b">" for line in block], bad

        stream = PartStream(
            parts=store, chunk=chunk, key_of=lambda line: "key", losers=array("Q", [4, 19]), encode=encode
        )
        entries: list[bytes | Rejection | None] = [b"<" + line + b">" for line in lines]
        entries[4] = entries[19] = None
        entries[12] = Rejection(ordinal=12, offset=12, reason="no body", raw=b"k12=v", key="key")
        return StreamCase(stream=stream, entries=entries, broken=request.param)
