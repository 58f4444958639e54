"""The checks on orders and journal: what the tables hold, read back, beside what the lines make."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.entities.dropship.auditing import BookAudit
from ingest_project.entities.dropship.desk import BookDesk
from ingest_project.entities.dropship.posting import JOURNAL, ORDERS
from ingest_project.entities.dropship.values import total
from ingest_project.orchestration.checks import DATES_ALONE
from ingest_project.resources.assembly import part_store
from ingest_project.resources.clients import IngestResource, PlanReader


def desk_of(spec: EntitySpec, ingest: IngestResource, owner: str) -> BookDesk:
    """The books of this deployment."""
    settings = ingest.settings()
    return BookDesk(
        spec=spec,
        settings=settings,
        ledger=ingest.ledger(),
        parts=part_store(settings),
        knobs=ingest.knobs(),
        owner=owner,
        create=settings.may_create_table(),
    )


def audits(
    spec: EntitySpec, context: dg.AssetCheckExecutionContext, ingest: IngestResource
) -> list[BookAudit]:
    """Of the run's date; a check that is executed by itself takes the latest dates."""
    days: Sequence[str] = ingest.plans().dates(spec.name)[-DATES_ALONE:]
    if context.has_partition_key or context.has_partition_key_range:
        days = context.partition_keys
    plans, desk = PlanReader(ingest=ingest, entity=spec.name), desk_of(spec, ingest, "check")
    return [found for day in days for found in desk.audit(plans.of(day))]


def build_balance_check(spec: EntitySpec) -> dg.AssetChecksDefinition:
    """Books that do not balance go no further."""

    @dg.asset_check(
        asset=dg.AssetKey([spec.name, JOURNAL]),
        name="books_balance",
        blocking=True,
        description="Debits equal credits in each journal entry of the date and over all of them.",
    )
    def check(context: dg.AssetCheckExecutionContext, ingest: IngestResource) -> dg.AssetCheckResult:
        found = audits(spec, context, ingest)
        wrong = [code for one in found for code in one.unbalanced]
        return dg.AssetCheckResult(
            passed=all(one.balanced for one in found),
            metadata={
                "entries": sum(one.entries for one in found),
                "debit": _text(one.debit for one in found),
                "credit": _text(one.credit for one in found),
            },
            description=f"not balanced: {', '.join(wrong[:5])}" if wrong else None,
        )

    return check


def build_agreement_check(spec: EntitySpec) -> dg.AssetChecksDefinition:
    """Orders are whole, and are what their lines make."""

    @dg.asset_check(
        asset=dg.AssetKey([spec.name, ORDERS]),
        name="orders_agree_with_lines",
        description="Each order id of the date's lines has one order and one journal entry; orders made anew "
        "of the lines in the table equal the stored ones, and so do the sums of their channel totals.",
    )
    def check(context: dg.AssetCheckExecutionContext, ingest: IngestResource) -> dg.AssetCheckResult:
        found = audits(spec, context, ingest)
        wrong = [code for one in found for code in one.wrong]
        return dg.AssetCheckResult(
            passed=all(one.complete for one in found),
            metadata={
                "order_ids": sum(one.ids for one in found),
                "orders": sum(one.orders for one in found),
                "journal_entries": sum(one.entries for one in found),
                "compared": sum(one.compared for one in found),
                "lines_total": _text(one.lines_total for one in found),
                "orders_total": _text(one.orders_total for one in found),
            },
            description=f"not as their lines make them: {', '.join(wrong[:5])}" if wrong else None,
        )

    return check


def build_book_checks(spec: EntitySpec) -> list[dg.AssetChecksDefinition]:
    """Both."""
    return [build_balance_check(spec), build_agreement_check(spec)]


def _text(amounts: Iterable[Decimal]) -> str:
    return format(total(list(amounts)), "f")
