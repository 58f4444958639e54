"""The warehouse's own checks: quantities, orders that lines point to, changed fields, the mirror's age."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import TargetMissing
from ingest_project.core.fields import EXTENDED, REPLAY, FieldEvent, KnownField, choices
from ingest_project.entities.wms.freshness import LIMITS, age_of
from ingest_project.entities.wms.judging import Findings, judge_orders, judge_quantities, orders_of
from ingest_project.entities.wms.spec import table_of
from ingest_project.io_managers.names import asset_key
from ingest_project.orchestration.checks import scopes_to_check
from ingest_project.resources.assembly import part_store
from ingest_project.resources.audit import Scope
from ingest_project.resources.clients import IngestResource, PlanReader
from ingest_project.resources.connect import dynamodb_api
from ingest_project.sinks.tables import READ_KEYS, get_items

VALIDATED, CURRENT, PLANNED = "validated", "current", "planned"
ORDERS, LINES, ALLOCATIONS = "order_hdr", "order_dtl", "allocation"
LOOKED_UP = 5_000
"""Orders that are looked up for a date, at most: a random sample where lines point to more."""

NEWS_SECONDS = 7 * 86_400.0
"""So long a new field is told."""

MOST_TOLD = 50


def lines_of(spec: EntitySpec, ingest: IngestResource, scopes: Iterable[Scope]) -> Iterator[Sequence[bytes]]:
    """The admitted rows of these dates and slots."""
    plans, parts = PlanReader(ingest=ingest, entity=spec.name), part_store(ingest.settings())
    for scope in scopes:
        for chunk in plans.of(scope.date).chunks:
            if scope.slots is not None and chunk.slot not in scope.slots:
                continue
            try:
                infos = parts.parts(chunk)
            except TargetMissing:
                continue
            for info in infos:
                yield from parts.lines(chunk, info)


def judged(
    spec: EntitySpec, name: str, description: str, judge: Callable[..., Findings]
) -> dg.AssetChecksDefinition:
    """A check on the rows of a run; rows that break a rule warn, as they are so in the source."""

    @dg.asset_check(asset=asset_key(spec, VALIDATED), name=name, blocking=False, description=description)
    def check(context: dg.AssetCheckExecutionContext, ingest: IngestResource) -> dg.AssetCheckResult:
        with ingest.audit(spec) as audit:
            scopes = scopes_to_check(context, audit)
        found = judge(ingest, lines_of(spec, ingest, scopes))
        return dg.AssetCheckResult(
            passed=not found.wrong,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(found.named[:5]) or None,
            metadata={
                "looked_at": found.looked_at,
                "wrong": found.wrong,
                **({"first": dg.MetadataValue.md(_listed(found.named))} if found.named else {}),
            },
        )

    return check


def _listed(texts: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def quantities(ingest: IngestResource, blocks: Iterable[Sequence[bytes]]) -> Findings:
    """judging.judge_quantities over all rows."""
    found = Findings()
    for lines in blocks:
        judge_quantities(lines, found)
    return found


def orders(ingest: IngestResource, blocks: Iterable[Sequence[bytes]]) -> Findings:
    """judging.judge_orders: the orders that the rows point to are read from their table."""
    found, pointed = Findings(), dict[int, int]()
    for lines in blocks:
        orders_of(lines, pointed, found)
    if len(pointed) > LOOKED_UP:
        pointed = dict(Random(0).sample(sorted(pointed.items()), LOOKED_UP))
    judge_orders(pointed, asyncio.run(_standing(ingest, sorted(pointed))), found)
    return found


async def _standing(ingest: IngestResource, rows: Sequence[int]) -> set[int]:
    """Ids that the table of orders has, and not as deleted ones."""
    standing: set[int] = set()
    async with dynamodb_api(ingest.settings()) as api:
        for at in range(0, len(rows), READ_KEYS):
            keys = [{"id": {"N": str(row)}} for row in rows[at : at + READ_KEYS]]
            items: list[dict[str, Any]] = await get_items(api, table_of(ORDERS), keys)
            standing |= {int(item["id"]["N"]) for item in items if "deleted" not in item}
    return standing


def field_result(
    entity: str, known: Iterable[KnownField], history: Sequence[FieldEvent], now: float
) -> dg.AssetCheckResult:
    """Changed types that wait for a person fail, new fields warn."""
    asked = [one for one in known if one.asked]
    waiting = [f"{one.name}: {', '.join(one.asked)}, was {one.kinds[0]}" for one in asked]
    new = [event.name for event in history if event.event == EXTENDED and now - event.at < NEWS_SECONDS]
    told = [f"changed type of {what}: `ingest schema {entity}` decides" for what in waiting]
    told += [f"new field {name}" for name in new]
    return dg.AssetCheckResult(
        passed=not told,
        severity=dg.AssetCheckSeverity.ERROR if waiting else dg.AssetCheckSeverity.WARN,
        description="; ".join(told[:5]) or None,
        metadata={
            "waiting": len(waiting),
            "new": len(new),
            **({"choices": _choices(entity, asked)} if asked else {}),
            "history": dg.MetadataValue.md(_listed([*map(_told, history[-MOST_TOLD:])])),
        },
    )


def _choices(entity: str, asked: Sequence[KnownField]) -> dg.MetadataValue:
    """What a person can say of each changed type."""
    lines = [
        f"| {one.name} | {one.kinds[0]} | {', '.join(one.asked)} | `{command}` | {meaning} |"
        for one in asked[:MOST_TOLD]
        for command, meaning in choices(entity, one.name).items()
    ]
    head = ["| field | was | comes as | say | and then |", "|---|---|---|---|---|"]
    behind = f"\nAfterwards `{REPLAY}` sends what was refused once more."
    return dg.MetadataValue.md("\n".join([*head, *lines, behind]))


def _told(event: FieldEvent) -> str:
    day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(event.at))
    return f"{day} {event.name}: {event.event} {', '.join(event.kinds)} {event.detail}"


def field_check(spec: EntitySpec) -> dg.AssetChecksDefinition:
    """Standing: what changed in the API's fields."""

    @dg.asset_check(
        asset=asset_key(spec, PLANNED),
        name="fields_as_known",
        description="No field changed its type without a person's decision, none is new in the last seven "
        "days. Rows with a type that nobody accepted are refused: `ingest schema` shows and decides.",
    )
    def check(ingest: IngestResource) -> dg.AssetCheckResult:
        book = ingest.ledger().fields
        known, history = book.known(spec.name), book.history(spec.name)
        return field_result(spec.name, known.values(), history, time.time())

    return check


def fresh_result(spec: EntitySpec, age: float | None) -> dg.AssetCheckResult:
    """The mirror's age against the domain's limits."""
    limits = LIMITS[spec.source]
    verdict = limits.verdict(age)
    said = "nothing was ever mirrored" if age is None else f"the mirror is {age / 3600:.1f} hours old"
    return dg.AssetCheckResult(
        passed=not verdict,
        severity=dg.AssetCheckSeverity.ERROR if verdict == "fail" else dg.AssetCheckSeverity.WARN,
        description=said,
        metadata={
            "age_hours": -1.0 if age is None else round(age / 3600, 3),
            "warn_hours": limits.warn,
            "fail_hours": limits.fail,
        },
    )


def fresh_check(spec: EntitySpec) -> dg.AssetChecksDefinition:
    """Standing: how old the mirror is."""

    @dg.asset_check(
        asset=asset_key(spec, CURRENT),
        name="fresh",
        description="The last sync whose rows are all in the table is no older than the domain allows.",
    )
    def check(ingest: IngestResource) -> dg.AssetCheckResult:
        return fresh_result(spec, age_of(spec, ingest.ledger(), time.time()))

    return check


def build_warehouse_checks(spec: EntitySpec) -> list[dg.AssetChecksDefinition]:
    """The checks that an entity of the warehouse has besides those of every entity."""
    checks = [field_check(spec), fresh_check(spec)]
    if spec.source == ALLOCATIONS:
        rule = "alloc_qty > 0 and 0 <= packed_qty <= alloc_qty."
        checks.append(judged(spec, "quantities_are_sound", rule, quantities))
    if spec.source == LINES:
        rule = f"Lines point to orders that are in the table (of at most {LOOKED_UP:,} orders a run)."
        checks.append(judged(spec, "orders_exist", rule, orders))
    return checks


def build_standing_job(specs: Sequence[EntitySpec]) -> dg.Definitions:
    """The checks that time alone can fail, every half hour."""
    standing = [key for spec in specs for key in _standing_keys(spec)]
    job = dg.define_asset_job(
        "wms_standing_checks",
        selection=dg.AssetSelection.checks(*standing),
        executor_def=dg.in_process_executor,
        description="Freshness and fields of all entities of the warehouse.",
    )

    @dg.schedule(
        name="wms_standing_checks_schedule",
        cron_schedule="*/30 * * * *",
        job=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Looks at freshness and fields where there is a warehouse to mirror.",
    )
    def half_hourly(ingest: IngestResource) -> dg.SkipReason | dg.RunRequest:
        if not ingest.settings().wms.url:
            return dg.SkipReason("INGEST_WMS_URL is not set")
        return dg.RunRequest()

    return dg.Definitions(jobs=[job], schedules=[half_hourly])


def _standing_keys(spec: EntitySpec) -> list[dg.AssetCheckKey]:
    return [
        dg.AssetCheckKey(asset_key(spec, PLANNED), "fields_as_known"),
        dg.AssetCheckKey(asset_key(spec, CURRENT), "fresh"),
    ]
