"""The checks on books: what the tables hold, read back, beside what the books are made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import ChunkPlan
from ingest_project.entities.dropship.auditing import BookAudit, SettlementAudit
from ingest_project.entities.dropship.desk import CODES, BookDesk
from ingest_project.entities.dropship.posting import JOURNAL, ORDERS, SETTLEMENTS
from ingest_project.entities.dropship.values import total
from ingest_project.orchestration.checks import DATES_ALONE
from ingest_project.resources.assembly import part_store
from ingest_project.resources.clients import IngestResource, PlanReader

Numbers = Mapping[str, int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check saw.

    Attributes:
        wrong: Names what is not as it must be; ``odd``: what somebody should look at.
    """

    passed: bool
    numbers: Numbers
    wrong: Sequence[str] = ()
    odd: Sequence[str] = ()


Look = Callable[[BookDesk, IngestResource, Sequence[str]], Finding]
"""Desk, deployment and dates in, what was found out."""


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


def plans_of(ingest: IngestResource, day: str) -> dict[str, ChunkPlan]:
    """The date's plans of all entities that settlements are made of."""
    return {name: PlanReader(ingest=ingest, entity=name).of(day) for name in CODES}


def build_check(
    spec: EntitySpec, kind: str, name: str, about: str, look: Look, *, blocking: bool = False
) -> dg.AssetChecksDefinition:
    """A check of the run's date; executed by itself it takes the latest dates."""

    @dg.asset_check(asset=dg.AssetKey([spec.name, kind]), name=name, blocking=blocking, description=about)
    def check(context: dg.AssetCheckExecutionContext, ingest: IngestResource) -> dg.AssetCheckResult:
        days: Sequence[str] = ingest.plans().dates(spec.name)[-DATES_ALONE:]
        if context.has_partition_key or context.has_partition_key_range:
            days = context.partition_keys
        found = look(desk_of(spec, ingest, "check"), ingest, days)
        told = [*found.wrong, *found.odd]
        return dg.AssetCheckResult(
            passed=found.passed and not found.odd,
            severity=dg.AssetCheckSeverity.WARN if found.passed else dg.AssetCheckSeverity.ERROR,
            metadata=dict[str, Any](found.numbers),
            description=f"to be looked at: {', '.join(told[:5])}" if told else None,
        )

    return check


def _audits(spec: EntitySpec, desk: BookDesk, ingest: IngestResource, days: Sequence[str]) -> list[BookAudit]:
    plans = PlanReader(ingest=ingest, entity=spec.name)
    return [found for day in days for found in desk.audit(plans.of(day))]


def balance(found: Sequence[BookAudit]) -> Finding:
    """Debits beside credits."""
    return Finding(
        passed=all(one.balanced for one in found),
        numbers={
            "entries": sum(one.entries for one in found),
            "debit": _text(one.debit for one in found),
            "credit": _text(one.credit for one in found),
        },
        wrong=[code for one in found for code in one.unbalanced],
    )


def agreement(found: Sequence[BookAudit]) -> Finding:
    """Orders beside lines."""
    return Finding(
        passed=all(one.complete for one in found),
        numbers={
            "order_ids": sum(one.ids for one in found),
            "orders": sum(one.orders for one in found),
            "journal_entries": sum(one.entries for one in found),
            "compared": sum(one.compared for one in found),
            "lines_total": _text(one.lines_total for one in found),
            "orders_total": _text(one.orders_total for one in found),
        },
        wrong=[code for one in found for code in one.wrong],
    )


def reconciliation(found: Sequence[SettlementAudit]) -> Finding:
    """Settled totals beside the lines'."""
    states: dict[str, int] = {}
    for one in found:
        for state, count in one.states.items():
            name = state.replace(" ", "_")
            states[name] = states.get(name, 0) + count
    return Finding(
        passed=not any(one.wrong for one in found),
        numbers={
            "codes": sum(one.codes for one in found),
            "settlements": sum(one.settlements for one in found),
            "compared": sum(one.compared for one in found),
            **states,
            "channel_total": _text(one.sale for one in found),
            "settled_total": _text(one.settled for one in found),
            "commission_total": _text(one.commission for one in found),
        },
        wrong=[code for one in found for code in one.wrong],
        odd=[code for one in found for code in one.named],
    )


def build_book_checks(spec: EntitySpec) -> list[dg.AssetChecksDefinition]:
    """Those on orders and journal. Books that do not balance go no further."""
    return [
        build_check(
            spec,
            JOURNAL,
            "books_balance",
            "Debits equal credits in each journal entry of the date and over all of them.",
            lambda desk, ingest, days: balance(_audits(spec, desk, ingest, days)),
            blocking=True,
        ),
        build_check(
            spec,
            ORDERS,
            "orders_agree_with_lines",
            "Each order id of the date's lines has one order and one journal entry; orders made anew of the "
            "lines in the table equal the stored ones, and so do the sums of their channel totals.",
            lambda desk, ingest, days: agreement(_audits(spec, desk, ingest, days)),
        ),
    ]


def build_settlement_check(spec: EntitySpec) -> dg.AssetChecksDefinition:
    """That on settlements."""
    return build_check(
        spec,
        SETTLEMENTS,
        "settled_totals_agree",
        "Settlements are what orders, payouts and commissions make them, no more was paid out than the lines "
        "sold for, and each payout is for a known order. The last two only warn.",
        lambda desk, ingest, days: reconciliation(
            [desk.audit_settlements(plans_of(ingest, day)) for day in days]
        ),
    )


def _text(amounts: Iterable[Decimal]) -> str:
    return format(total(list(amounts)), "f")
