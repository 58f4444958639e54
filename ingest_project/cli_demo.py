"""`ingest demo`: everything up, samples into the inbox, a table of what became of them, everything down."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from datetime import UTC, datetime

import click

from ingest_project.cli_demo_wms import Mirrored, mirror_warehouse
from ingest_project.cli_local import start_all, stop_all
from ingest_project.cli_show import table
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local import read_running, ui
from ingest_project.local.demo import ALL, Demo, Verdict, peak_of_runs
from ingest_project.local.samples import TABLE_KEYS
from ingest_project.resources.deployments import Settings, load_settings, parse_key_schema
from ingest_project.resources.destinations import TableDestination

KEYS = ";".join(f"{name}={key}" for name, key in TABLE_KEYS.items())


def run_demo(*, keep: bool, timeout: float) -> int:
    """Run the demonstration; 0 when every file came out as expected."""
    home = load_settings().home
    had_services, had_dagster = bool(read_running(home).servers), ui.running(home) is not None
    try:
        good = _run(keep=keep or had_dagster, timeout=timeout)
    finally:
        if not (keep or had_dagster):
            click.echo("stopping ...", err=True)
            stop_all(load_settings(), services_too=not had_services)
    if keep or had_dagster:
        click.echo("Everything keeps running; `ingest down` stops it.")
    return 0 if good else 1


def _run(*, keep: bool, timeout: float) -> bool:
    settings, page, ran = start_all({"INGEST_TABLE_KEYS": KEYS})
    if ran:
        asyncio.run(_make_tables(settings))
    now = datetime.now(UTC)
    ledger = SqlLedger(settings.ledger_url)
    try:
        demo = Demo(
            ledger=ledger,
            inbox=settings.inbox,
            date=now.date().isoformat(),
            name=f"demo-{now:%H%M%S}",
            memory=peak_of_runs(page.mark.pid),
        )
        demo.place()
        click.echo(f"{len(ALL)} sample files are in {settings.inbox}/*/{demo.date}/{demo.name}")
        ended = demo.wait(timeout, Line())
        verdicts, orders, unmade = demo.verdicts(), demo.orders(), demo.open_books()
    finally:
        ledger.close()
    mirrored = mirror_warehouse(settings, demo.name, demo.date, Line())
    _show(verdicts)
    _show_mirror(mirrored)
    problems = [one.problem for one in verdicts] + [one.problem for one in mirrored]
    good = ended and not unmade and not any(problems)
    click.echo(_total(verdicts))
    click.echo(
        unmade or f"{orders:,} orders with a balanced journal entry each, made of the lines of dropship"
    )
    click.echo("Every record is accounted for." if good else "Not everything is as expected.")
    if keep:
        click.echo(f"In the UI: {page.url}/asset-groups (the graph), {page.url}/runs (the runs)")
    else:
        click.echo("`ingest demo --keep` leaves it running, to be looked at in the UI.")
    return good


async def _make_tables(settings: Settings) -> None:
    """A Dagster that runs already was not told the samples' keys."""
    tables = TableDestination(settings, settings.may_create_table())
    for name, key in TABLE_KEYS.items():
        await tables.keys_of(name, parse_key_schema(key, "demo"))
    await tables.close()


class Line:
    """One line that is written over on a terminal, and told anew only when it changed elsewhere."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, text: str) -> None:
        if text == self._last:
            return
        self._last = text
        click.echo(f"\r\033[K{text}" if sys.stderr.isatty() else text, err=True, nl=not sys.stderr.isatty())


def _show(verdicts: list[Verdict]) -> None:
    names = (
        "chunks",
        "read",
        "written",
        "indexed",
        "superseded",
        "rejected",
        "seconds",
        "items/s",
        "peak MB",
    )
    columns = [("file", False), ("state", False), *((name, True) for name in names)]
    if sys.stderr.isatty():
        click.echo(err=True)
    table("", columns, [[*_row(verdict)] for verdict in verdicts])
    for verdict in verdicts:
        reasons = verdict.summary.reasons if verdict.summary else {}
        for reason, count in reasons.items():
            click.echo(f"{verdict.sample.name}: {count} rejected: {reason}")
        if verdict.problem:
            click.echo(f"{verdict.sample.name}: {verdict.problem}")


def _show_mirror(mirrored: list[Mirrored]) -> None:
    """The simulated warehouse's entities; each is a table, its history and an index."""
    names = ("read", "changed", "deleted", "items", "versions", "indexed")
    rows = [
        [one.entity, one.table, *(f"{n:,}" for n in (one.read, one.changed, one.deleted))]
        + [f"{n:,}" for n in (one.current, one.history, one.indexed)]
        for one in mirrored
    ]
    table(
        "a warehouse, mirrored over its API",
        [("entity", False), ("table", False), *((name, True) for name in names)],
        rows,
    )
    for one in mirrored:
        click.echo(f"{one.entity}: {one.problem or 'equal to the warehouse, row for row'}")


def _total(verdicts: list[Verdict]) -> str:
    records = sum(verdict.summary.read for verdict in verdicts if verdict.summary)
    seconds = max(verdict.seconds for verdict in verdicts)
    return f"{records:,} records, {seconds:.0f} s from Dagster's first request to its last verdict"


def _row(verdict: Verdict) -> list[str]:
    name, found = verdict.sample.name, verdict.summary
    if found is None:
        return [name, verdict.state, *[""] * 9]
    written, superseded, indexed = 0, 0, 0
    with suppress(KeyError):
        written, superseded = found.stages["table"].counts.written, found.stages["table"].counts.superseded
        indexed = found.stages["index"].counts.written
    seconds = found.seconds
    numbers = (found.chunks, found.read, written, indexed, superseded, found.rejected)
    rate = found.read / seconds if seconds else 0.0
    peak = verdict.peak_rss_bytes / 2**20
    return [
        name,
        verdict.state,
        *(f"{n:,}" for n in numbers),
        f"{seconds:.1f}",
        f"{rate:,.0f}",
        f"{peak:.0f}",
    ]
