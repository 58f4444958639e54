"""Only what differs is written; an item that spoils a request harms no other one's comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingest_project.core.access_patterns import Lookup, Typed
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, KeySchema, Refusal, WriteReport
from ingest_project.sinks.comparing import ComparingSink
from ingest_project.sinks.isolating import RequestRefused
from ingest_project_tests.sinks.sending import batch_of, line

BY_KEY = Lookup(name="by key", table="notes", consistent=True)
KEYS = KeySchema(parts=(("id", "S"),))


class Notes:
    """A table of two words a row: what stands, and what was put."""

    limits = BatchLimits(count=25, bytes=1_000_000)

    def __init__(self, **standing: str) -> None:
        self.standing, self.put, self.answer = standing, list[bytes](), WriteReport()

    async def identity(self) -> str:
        return "notes-1"

    async def flush(self) -> None:
        self.put.append(b"flushed")

    async def write(self, batch: Batch) -> WriteReport:
        self.put += [bytes(body) for body in batch.bodies]
        told = len(self.answer.retry) + len(self.answer.refusals)
        return WriteReport(written=len(batch) - told, retry=self.answer.retry, refusals=self.answer.refusals)

    async def lookup(self, pattern: Lookup, keys: Sequence[Typed]) -> list[dict[str, Any]]:
        assert BY_KEY == pattern
        words = [key["id"]["S"] for key in keys]
        if "" in words:
            raise RequestRefused("an empty key")
        return [
            {"id": {"S": word}, "text": {"S": self.standing[word]}} for word in words if word in self.standing
        ]


def sink_of(notes: Notes) -> ComparingSink:
    return ComparingSink(notes, notes, BY_KEY, KEYS)


async def test_what_stands_already_is_unchanged_and_not_sent() -> None:
    notes = Notes(a="1", b="2")
    same, other, new = line("a", text="1"), line("b", text="3"), line("c", text="4")
    assert WriteReport(written=2, unchanged=1) == await plain(notes, same, other, new)
    assert [other, new] == notes.put
    assert WriteReport(unchanged=1) == await plain(notes, same)
    assert 2 == len(notes.put)


async def plain(notes: Notes, *bodies: bytes) -> WriteReport:
    report = await sink_of(notes).write(batch_of(bodies))
    return WriteReport(
        written=report.written,
        unchanged=report.unchanged,
        retry=tuple(report.retry),
        refusals=tuple(report.refusals),
    )


async def test_indices_are_those_of_the_whole_batch() -> None:
    notes = Notes(a="1", c="1")
    notes.answer = WriteReport(retry=(1,), refusals=(Refusal(index=0, reason="no"),))
    bodies = [line(word, text="1") for word in "abcd"]
    report = await plain(notes, *bodies)
    assert WriteReport(unchanged=2, retry=(3,), refusals=(Refusal(index=1, reason="no"),)) == report


async def test_a_key_that_the_service_refuses_is_refused_alone() -> None:
    notes = Notes(a="1")
    report = await plain(notes, line("a", text="1"), line("", text="1"), line("b", text="1"))
    assert (1, 1, [Refusal(index=1, reason="an empty key")]) == (
        report.written,
        report.unchanged,
        [*report.refusals],
    )
    assert [line("b", text="1")] == notes.put


async def test_all_else_is_the_inner_sinks() -> None:
    notes = Notes()
    assert ("notes-1", Notes.limits) == (await sink_of(notes).identity(), sink_of(notes).limits)
    await sink_of(notes).flush()
    assert [b"flushed"] == notes.put
