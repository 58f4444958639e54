"""Checks on every border of a dump entity: what went in equals what came out, and what was stored reads back
exactly.

Each check computes its two sides from different places: the plan, the part manifests, the ledger, the target
    itself.
"""

from collections.abc import Iterable, Sequence

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.io_managers.cells import parse_cell
from ingest_project.io_managers.names import asset_key, name_of
from ingest_project.io_managers.work import resumable
from ingest_project.resources.audit import VALIDATED, Audit, Border, Scope
from ingest_project.resources.clients import IngestResource

DATES_ALONE = 7
"""So many of the latest planned dates are looked at by a check that is executed by itself."""


def scopes_of(keys: Iterable[str]) -> list[Scope]:
    """What a run over these keys of the grid has done: its slots, date by date."""
    slots: dict[str, set[int]] = {}
    for key in keys:
        day, slot = parse_cell(key)
        slots.setdefault(day, set()).add(slot)
    return [Scope(date=day, slots=frozenset(slots[day])) for day in sorted(slots)]


def scopes_to_check(context: dg.AssetCheckExecutionContext, audit: Audit) -> Sequence[Scope]:
    """The run's; a check that is executed by itself has no partitions, and takes the latest planned dates."""
    if context.has_partition_key or context.has_partition_key_range:
        return scopes_of(context.partition_keys)
    return [Scope(date=day) for day in audit.dates()[-DATES_ALONE:]]


VALIDATED_SIDES = "planned = validated + rejected"
DELIVERED_SIDES = "validated = written + superseded + unchanged + rejected"


def border_check(spec: EntitySpec, stage: str, *, blocking: bool) -> dg.AssetChecksDefinition:
    """A check that the two sides of a border are equal for every date of the run."""

    @dg.asset_check(
        asset=asset_key(spec, stage),
        name=f"{name_of(spec, stage)}_reconciles",
        blocking=blocking,
        description="Every record that went into this stage is accounted for: "
        + (VALIDATED_SIDES if stage == VALIDATED else DELIVERED_SIDES),
    )
    def check(context: dg.AssetCheckExecutionContext, ingest: IngestResource) -> dg.AssetCheckResult:
        with resumable(), ingest.audit(spec) as audit:
            borders = [audit.border(stage, scope) for scope in scopes_to_check(context, audit)]
        wrong = [border for border in borders if not border.even]
        return dg.AssetCheckResult(
            passed=not wrong,
            metadata={
                "went_in": sum(border.left for border in borders),
                "came_out": sum(border.right for border in borders),
                "borders": dg.MetadataValue.md(_table(borders)),
            },
            description="; ".join(f"{b.date}: {b.text}" for b in (wrong or borders)[:5]) or None,
        )

    return check


def readback_check(spec: EntitySpec, stage: str) -> dg.AssetChecksDefinition:
    """A check that a sample of the stored records, read from the target, equals the validated parts digit for
    digit."""

    @dg.asset_check(
        asset=asset_key(spec, stage),
        name=f"{name_of(spec, stage)}_reads_back",
        blocking=False,
        description="A sample of the records is read from the target and compared digit for digit.",
    )
    def check(context: dg.AssetCheckExecutionContext, ingest: IngestResource) -> dg.AssetCheckResult:
        with resumable(), ingest.audit(spec) as audit:
            samples = [audit.read_back(stage, scope) for scope in scopes_to_check(context, audit)]
        wrong = [difference for sample in samples for difference in sample.differences]
        return dg.AssetCheckResult(
            passed=not wrong,
            metadata={"compared": sum(sample.compared for sample in samples), "different": len(wrong)},
            description="; ".join(wrong[:5]) or None,
        )

    return check


def build_checks(spec: EntitySpec) -> Sequence[dg.AssetChecksDefinition]:
    """All checks of one entity. Those are blocking behind which wrong data would go on."""
    checks = [border_check(spec, VALIDATED, blocking=True), open_work_check(spec)]
    for stage in spec.destinations:
        checks += [border_check(spec, stage, blocking=False), readback_check(spec, stage)]
    return [*checks, expectation_check(spec)]


def expectation_check(spec: EntitySpec) -> dg.AssetChecksDefinition:
    """The entity's expectations: whether records are too few, or rejections too many to warn or to fail."""

    @dg.asset_check(
        asset=asset_key(spec, "validated"),
        name=EXPECTED,
        blocking=False,
        description="Number of records, number and share of open rejections are as expected for a date.",
    )
    def check(context: dg.AssetCheckExecutionContext, ingest: IngestResource) -> dg.AssetCheckResult:
        with resumable(), ingest.audit(spec) as audit:
            days = [Scope(date=scope.date) for scope in scopes_to_check(context, audit)]
            return met(spec, [audit.judged(day) for day in days])

    return check


EXPECTED = "validated_meets_expectations"


def met(spec: EntitySpec, judged: Sequence[tuple[int, int]]) -> dg.AssetCheckResult:
    """Whether some dates, (records, open rejections) each, are together as expected."""
    read, rejected = sum(pair[0] for pair in judged), sum(pair[1] for pair in judged)
    verdict = spec.expect.verdict(read, rejected)
    return dg.AssetCheckResult(
        check_name=EXPECTED,
        asset_key=asset_key(spec, "validated"),
        passed=not (verdict.fails or verdict.warns),
        severity=dg.AssetCheckSeverity.ERROR if verdict.fails else dg.AssetCheckSeverity.WARN,
        description="; ".join(verdict.fails or verdict.warns) or None,
        metadata={
            "read": read,
            "rejected": rejected,
            "rejected_share": rejected / read if read else 0.0,
        },
    )


OPEN_WORK = "nothing_left_failed"


def open_work(audit: Audit) -> dg.AssetCheckResult:
    """What stands failed now, as a result of the standing check."""
    left = audit.left_failed()
    return dg.AssetCheckResult(
        check_name=OPEN_WORK,
        passed=not left,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(left[:3]) or None,
        metadata={
            "failed": len(left),
            "what": dg.MetadataValue.md("\n".join(f"- {line}" for line in left[:50])),
        },
    )


def open_work_event(spec: EntitySpec, audit: Audit) -> dg.AssetCheckEvaluation:
    """The same as an event that belongs to no run."""
    result = open_work(audit)
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(spec, "planned"),
        check_name=OPEN_WORK,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


def open_work_check(spec: EntitySpec) -> dg.AssetChecksDefinition:
    """The standing check on what is left: with every plan, and by the sensor whenever a file has ended."""

    @dg.asset_check(
        asset=asset_key(spec, "planned"),
        name=OPEN_WORK,
        blocking=False,
        description="No chunk of any date and no file of the inbox stands failed.",
    )
    def check(ingest: IngestResource) -> dg.AssetCheckResult:
        with resumable(), ingest.audit(spec) as audit:
            return open_work(audit)

    return check


def _table(borders: Sequence[Border]) -> str:
    rows = ["| date | went in | came out | detail |", "|---|---|---|---|"]
    return "\n".join(rows + [f"| {b.date} | {b.left} | {b.right} | {b.text} |" for b in borders])
