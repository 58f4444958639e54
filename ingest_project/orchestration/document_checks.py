"""The standing checks of a collection of documents: how much failed, what is left behind, what for."""

from collections import Counter
from collections.abc import Sequence

import dagster as dg

from ingest_project.core.bucket_standing import MonthStanding, by_month, standing
from ingest_project.core.document_ledger import ParkedCount
from ingest_project.core.steps import CollectionSpec
from ingest_project.orchestration.bucket_runs import table
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.documents.collection import Collection, Loss

MOST_FAILED = 0.01
"""Share of all documents that may be parked."""

MOST_OF_A_CAUSE = 0.005
"""Share of all documents that may be parked for one cause before a person should look at it."""

SHOWN = 50


def failures_result(found: MonthStanding) -> dg.AssetCheckResult:
    """Parked documents against the limit."""
    return dg.AssetCheckResult(
        passed=found.failed_share <= MOST_FAILED,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{found.failed:,} of {found.total:,} documents are parked, {found.failed_share:.2%}",
        metadata={
            "documents": found.total,
            "parked": found.failed,
            "completed": found.completed,
            "parked_share": round(found.failed_share, 6),
        },
    )


def left_result(
    months: dict[str, MonthStanding], delayed: Sequence[tuple[str, str, str]], missed: int
) -> dg.AssetCheckResult:
    """What is neither through nor parked, and what the source has beyond that."""
    left = {month: one.open for month, one in months.items() if one.open}
    told = [f"{sum(left.values()):,} documents are neither through nor parked"] * bool(left)
    told += [f"{len(delayed):,} of them did not work out the last time"] * bool(delayed)
    told += [f"{missed:,} rows of the source are open and unknown here: list them"] * bool(missed > 0)
    return dg.AssetCheckResult(
        passed=not (left or missed > 0),
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(told) or None,
        metadata={
            "open": sum(left.values()),
            "delayed": len(delayed),
            "unknown": max(0, missed),
            "months": table(("month", "open"), [(month, f"{count:,}") for month, count in left.items()]),
            "reasons": table(("document", "stage", "reason"), list(delayed)),
        },
    )


def causes_result(found: MonthStanding, counts: Sequence[ParkedCount]) -> dg.AssetCheckResult:
    """Parked documents by cause; one that many are parked for may be worth a handler."""
    causes = Counter[str]()
    for one in counts:
        causes[one.cause] += one.documents
    many = [cause for cause, count in causes.most_common() if count > MOST_OF_A_CAUSE * found.total]
    rows = [(cause, f"{count:,}") for cause, count in causes.most_common(SHOWN)]
    return dg.AssetCheckResult(
        passed=not many,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{causes[cause]:,} parked: {cause}" for cause in many[:5]) or None,
        metadata={"causes": len(causes), "by_cause": table(("cause", "documents"), rows)},
    )


def losses_result(losses: Sequence[Loss]) -> dg.AssetCheckResult:
    """Places that hold less than they were given, and what to do."""
    told = [f"{one.place} holds {one.holds:,} of {one.expected:,} documents: {one.advice}" for one in losses]
    rows = [(one.place, f"{one.holds:,}", f"{one.expected:,}", one.advice) for one in losses]
    return dg.AssetCheckResult(
        passed=not losses,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(told) or None,
        metadata={"lost": table(("place", "holds", "expected", "to do"), rows)},
    )


def build_document_checks(collection: Collection, asset: dg.AssetKey) -> list[dg.AssetChecksDefinition]:
    """All four, with the asset that lists what stands parked."""
    spec = collection.spec
    return [
        _failures(collection, spec, asset),
        _left(collection, spec, asset),
        _causes(collection, spec, asset),
        _lost(collection, asset),
    ]


def _failures(collection: Collection, spec: CollectionSpec, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset,
        name="failures_within_limit",
        blocking=False,
        description=f"No more than {MOST_FAILED:.0%} of all documents are parked.",
    )
    def check(ingest: IngestResource) -> dg.AssetCheckResult:
        with collection.open(ingest.settings()) as desk:
            return failures_result(standing(desk.books.states(spec.name)))

    return check


def _left(collection: Collection, spec: CollectionSpec, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset,
        name="nothing_left_behind",
        blocking=False,
        description="Every document is through or parked; the source has no open row that is unknown here.",
    )
    def check(ingest: IngestResource) -> dg.AssetCheckResult:
        settings = ingest.settings()
        with collection.open(settings) as desk:
            months = dict(by_month(desk.books.states(spec.name)))
            delayed = desk.books.delayed(spec.name, limit=SHOWN)
        return left_result(months, delayed, collection.unknown(settings))

    return check


def _causes(collection: Collection, spec: CollectionSpec, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset,
        name="no_cause_stands_out",
        blocking=False,
        description=f"No more than {MOST_OF_A_CAUSE:.1%} of all documents are parked for one cause.",
    )
    def check(ingest: IngestResource) -> dg.AssetCheckResult:
        with collection.open(ingest.settings()) as desk:
            counts = desk.books.parked_counts(spec.name)
            return causes_result(standing(desk.books.states(spec.name)), counts)

    return check


def _lost(collection: Collection, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset,
        name="nothing_was_lost",
        blocking=False,
        description="Every index holds as many documents as the account says were put there.",
    )
    def check(ingest: IngestResource) -> dg.AssetCheckResult:
        return losses_result(collection.lost(ingest.settings()))

    return check
