"""What is wrong with a memory, and what could be: cache, indexes, partitions, scans, batches, TTL, alerts.

Judges what probing.py saw and the meter counted; asks the tables only how they stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ingest_project.core.access_patterns import Query, Scan
from ingest_project.entities.conversations.alerts import alerts
from ingest_project.entities.conversations.linting import complaints
from ingest_project.entities.conversations.probing import Probe, probe
from ingest_project.entities.conversations.queries import CONTEXT
from ingest_project.entities.conversations.serving import ChatMemory
from ingest_project.entities.conversations.tables import NEW
from ingest_project.sinks.table_definitions import TableState, check_table

HOT_SHARE, HOT_TIMES, ENOUGH = 0.05, 10.0, 500
"""A partition is hot with so much of a sample and so many times the mean one; of ENOUGH items at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        verdict: ``fail``: it is wrong; ``warn``: somebody should look; ``note``: it cannot be known here.
    """

    about: str
    verdict: Literal["ok", "note", "warn", "fail"]
    text: str

    def __str__(self) -> str:
        return f"{self.verdict:<5} {self.about}: {self.text}"


async def diagnose(memory: ChatMemory, *, users: int = 10) -> list[Finding]:
    """Look at everything once. Costs some thousand read units at most.

    Raises:
        TargetMissing: The history does not stand.
        TransientFailure, PermanentFailure: The tables do not answer.
    """
    seen = await probe(memory, users=users)
    states = [await check_table(memory.api, memory.tables[one.word]) for one in NEW]
    return [
        _cache(memory, seen),
        *_indexes(memory),
        *_partitions(seen),
        _scans(),
        *_batches(memory),
        *_ttl(seen, [state for state in states if state is not None]),
        *(
            Finding(about=one.name, verdict="warn" if one.fired else "ok", text=str(one))
            for one in alerts(memory.meter, memory.read_budget)
        ),
    ]


def _cache(memory: ChatMemory, seen: Probe) -> Finding:
    counts, asked = memory.meter.cache, len(seen.sessions)
    rate = f"{counts.rate or 0:.0%} of the parts"
    text = f"{seen.again} of {asked} contexts asked for again came from the cache ({rate})"
    if counts.failed:
        return Finding(about="cache", verdict="fail", text=f"{text}; {counts.failed} calls had no answer")
    return Finding(about="cache", verdict="ok" if seen.again == asked else "warn", text=text)


def _indexes(memory: ChatMemory) -> Iterator[Finding]:
    """Units by place, as the service divides them."""
    for pattern in CONTEXT:
        tally = memory.meter.reads.tallies.get(pattern.name)
        if tally is None or not isinstance(pattern, Query) or not pattern.index:
            continue
        place = f"{memory.tables[pattern.table].name}/{pattern.index}"
        inside, about = tally.units.get(place, 0.0), f"index of {pattern.name!r}"
        if not inside:
            yield Finding(about=about, verdict="note", text=f"this server does not tell units of {place}")
        elif inside < tally.total:
            text = f"{tally.total - inside:.1f} of {tally.total:.1f} units were not those of {place}"
            yield Finding(about=about, verdict="fail", text=text)
        else:
            yield Finding(about=about, verdict="ok", text=f"{inside:.1f} units, all of {place}")


def _partitions(seen: Probe) -> Iterator[Finding]:
    for word, sample in seen.samples.items():
        name, share = sample.hottest
        mean = 1 / max(1, len(sample.partitions))
        text = f"{name or 'none'} holds {share:.1%} of {sample.items} sampled items, the mean one {mean:.1%}"
        hot = sample.items >= ENOUGH and share > HOT_SHARE and share > HOT_TIMES * mean
        yield Finding(about=f"partitions of {word}", verdict="warn" if hot else "ok", text=text)


def _scans() -> Finding:
    found = [str(one) for one in complaints()]
    found += [f"{one.name} is a scan" for one in CONTEXT if isinstance(one, Scan)]
    text = "; ".join(found) or f"none of the {len(CONTEXT)} reads of a context scans a table, and all fit"
    return Finding(about="scans", verdict="fail" if found else "ok", text=text)


def _batches(memory: ChatMemory) -> Iterator[Finding]:
    """Requests a context and items a request."""
    fresh = max(1, memory.meter.fresh.count)
    for name, tally in sorted(memory.meter.reads.tallies.items()):
        asked = max(1, tally.requests)
        text = (
            f"{tally.requests / fresh:.1f} requests a context, {tally.items / asked:.1f} items "
            f"and {tally.total / asked:.1f} units a request, {tally.retries} sent again"
        )
        often = tally.retries > 0.05 * tally.requests
        yield Finding(about=f"requests of {name!r}", verdict="warn" if often else "ok", text=text)


def _ttl(seen: Probe, states: Sequence[TableState]) -> Iterator[Finding]:
    for state in states:
        for text in state.faults:
            yield Finding(about=state.name, verdict="fail", text=text)
        for text in state.notes:
            yield Finding(about=state.name, verdict="note", text=text)
    for one in NEW:
        sample = seen.samples.get(one.word)
        if sample is None:
            continue
        text = (
            f"of {sample.items} sampled items {sample.endless} have none, "
            f"{sample.overdue} should be gone for two days"
        )
        verdict: Literal["ok", "warn", "fail"] = "warn" if sample.overdue else "ok"
        yield Finding(about=f"ttl of {one.word}", verdict="fail" if sample.endless else verdict, text=text)
