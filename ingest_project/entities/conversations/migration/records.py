"""What a migration remembers beside the ledger: plans, what was touched, verdicts, the cut-over's marker.

They stand in a small table next to the old one, so that whoever asks for the memory finds the marker where
the memory is. Knows no step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from ingest_project.core.access_patterns import Query
from ingest_project.core.delivering import Sleep
from ingest_project.core.errors import TargetMissing, TransientFailure
from ingest_project.core.model import KeySchema
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.migration.plan import MigrationPlan, MigrationRefused
from ingest_project.sinks.dynamodb_api import ConditionRefused, DynamoDBApi
from ingest_project.sinks.table_reading import TableReader

WORD = "migrations"
SHOWN = 50
"""Differences that a stored verdict names."""

RECORDS = Query(
    name="records of a migration",
    table=WORD,
    partition="migration",
    projection=("record", "body"),
    consistent=True,
)


def definition_of(old: str) -> TableDefinition:
    """The table of records beside an old table."""
    return TableDefinition(
        word=WORD,
        name=f"{old}-migrations",
        keys=KeySchema(parts=(("migration", "S"), ("record", "S"))),
        attributes={"migration": "S", "record": "S", "body": "S"},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a comparison came to, as it is remembered.

    Attributes:
        plan: Its hash.
        read: Items by source.
        rejected, expired: See verifying.Findings.
        differences: How many were named; ``named``: the first of them.
        unnamed: There are more than were named.
        settled: Likewise.
    """

    plan: str
    begun: datetime
    ended: datetime
    read: Mapping[str, int]
    rejected: int
    expired: int
    differences: int
    named: tuple[str, ...] = ()
    unnamed: bool = False
    settled: int = 0

    @property
    def clean(self) -> bool:
        return not self.differences and not self.unnamed


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """Since when the new tables are the memory, by which plan and by whose word."""

    plan: str
    moment: datetime
    by: str
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is remembered.

    Attributes:
        plans: By hash.
        touched: Plan's hash -> when it was last copied.
        verdicts: Plan's hash -> its last verdict.
        marker: None: the old table is the memory.
        cleaned: When the old table was deleted.
    """

    plans: Mapping[str, MigrationPlan] = field(default_factory=dict)
    touched: Mapping[str, datetime] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    marker: Marker | None = None
    cleaned: datetime | None = None


class Records:
    """The table of records of one old table."""

    def __init__(
        self,
        api: DynamoDBApi,
        reader: TableReader,
        old: str,
        *,
        retry: RetryPolicy,
        rng: Random,
        sleep: Sleep,
    ) -> None:
        self._api, self._reader, self._old = api, reader, old
        self._retry, self._rng, self._sleep = retry, rng, sleep
        self._table = reader.tables[WORD].name

    async def standing(self) -> Standing:
        """All that is remembered; nothing, when the table does not stand yet."""
        try:
            found = await self._reader.query(RECORDS, self._old)
        except TargetMissing:
            return Standing()
        bodies = {item["record"]["S"]: json.loads(item["body"]["S"]) for item in found.items}

        def of(kind: str) -> dict[str, Any]:
            prefix = f"{kind} "
            return {
                name.removeprefix(prefix): body for name, body in bodies.items() if name.startswith(prefix)
            }

        marker, cleaned = bodies.get("marker"), bodies.get("cleaned")
        return Standing(
            plans={hash_: MigrationPlan.from_json(body["plan"]) for hash_, body in of("plan").items()},
            touched={hash_: datetime.fromisoformat(body["moment"]) for hash_, body in of("touched").items()},
            verdicts={hash_: _verdict(body) for hash_, body in of("verdict").items()},
            marker=Marker(**(marker | {"moment": datetime.fromisoformat(marker["moment"])}))
            if marker
            else None,
            cleaned=datetime.fromisoformat(cleaned["moment"]) if cleaned else None,
        )

    async def keep_plan(self, plan: MigrationPlan) -> None:
        await self._put(f"plan {plan.hash}", {"plan": plan.to_json()})

    async def touch(self, plan: MigrationPlan, moment: datetime) -> None:
        """Something is about to be written: verdicts of before tell nothing of it."""
        await self._put(f"touched {plan.hash}", {"moment": moment.isoformat()})

    async def keep_verdict(self, verdict: Verdict) -> None:
        told = {name: getattr(verdict, name) for name in Verdict.__slots__}
        told |= {"begun": verdict.begun.isoformat(), "ended": verdict.ended.isoformat()}
        await self._put(f"verdict {verdict.plan}", told | {"read": dict(verdict.read)})

    async def mark(self, marker: Marker) -> None:
        """Cut over, once.

        Raises:
            MigrationRefused: Somebody was first.
        """
        told = {name: getattr(marker, name) for name in Marker.__slots__}
        try:
            await self._put("marker", told | {"moment": marker.moment.isoformat()}, once=True)
        except ConditionRefused as error:
            # An answer that was lost had marked it; whoever repeats the request finds their own word.
            if (await self.standing()).marker != marker:
                raise MigrationRefused(f"{self._old} was cut over before") from error

    async def note_cleaned(self, moment: datetime) -> None:
        await self._put("cleaned", {"moment": moment.isoformat()})

    async def _put(self, record: str, body: Mapping[str, Any], *, once: bool = False) -> None:
        item = {"migration": {"S": self._old}, "record": {"S": record}, "body": {"S": json.dumps(body)}}
        request: dict[str, Any] = {"TableName": self._table, "Item": item}
        if once:
            request["ConditionExpression"] = "attribute_not_exists(#r)"
            request["ExpressionAttributeNames"] = {"#r": "record"}
        attempt = 0
        while True:
            try:
                await self._api.call("PutItem", request)
                return
            except TransientFailure as error:
                attempt += 1
                delay = self._retry.delay(attempt, self._rng, error.retry_after)
                if delay is None:
                    raise
                await self._sleep(delay)


def _verdict(body: Mapping[str, Any]) -> Verdict:
    told = dict(body)
    told |= {name: datetime.fromisoformat(told[name]) for name in ("begun", "ended")}
    return Verdict(**(told | {"named": tuple(told["named"])}))
