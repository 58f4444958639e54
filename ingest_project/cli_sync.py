"""`ingest sync`: one sync of an entity that is read from an API, and how its syncs stand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ingest_project.core.progress import ProgressMeter

if TYPE_CHECKING:
    from ingest_project.core.model import Chunk, Counts
    from ingest_project.resources.deployments import Settings
    from ingest_project.resources.syncing.whole import Synced

LINE_SECONDS = 2.0
SHOWN = 10


@click.command()
@click.argument("entity", metavar="ENTITY")
@click.option("--full", "mode", flag_value="full", help="Read all rows, by ranges of ids.")
@click.option("--since", "mode", flag_value="since", default=True, help="Read what changed.  [default]")
@click.option("--deletes", "mode", flag_value="deletes", help="Find rows that are gone, by counts.")
@click.option("--status", "mode", flag_value="status", help="Show the last syncs; read nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sync(entity: str, mode: str, as_json: bool) -> int:
    """Mirror an entity of the warehouse API (wms.allocation): read, validate, and bring to its targets.

    A sync of the same kind that is not through is gone on with, whoever began it: what has landed is not
    asked for again.

    Exit status: 0 all through, 1 something rejected, failed or left for the next call, 2 wrong call.
    """
    from ingest_project.api import entity_spec
    from ingest_project.resources.deployments import load_settings
    from ingest_project.resources.syncing.whole import sync_whole

    spec, settings = entity_spec(entity), load_settings()
    if mode == "status":
        return _show_status(settings, entity, as_json)
    lines = Lines(say)
    done = sync_whole(spec, settings, mode, _today(), log=say, progress=lines, expect=lines.expect)
    if as_json:
        click.echo(json.dumps({**asdict(done), "ok": done.ok}, indent=2))
    else:
        _show(done)
    return 0 if done.ok else 1


class Lines:
    """core.ports.Progress, told beforehand how much each stage has to do: a line every two seconds."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock, self._last = write, clock, clock()
        self._meters: dict[str, ProgressMeter] = {}
        self._done: dict[tuple[str, str], int] = {}

    def expect(self, stage: str, rows: int) -> None:
        self._meters[stage] = ProgressMeter(total=rows, clock=self._clock)

    def __call__(self, stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        self._done[stage, chunk.id] = done
        if self._clock() - self._last >= LINE_SECONDS:
            self._last = self._clock()
            meter = self._meters.setdefault(stage, ProgressMeter(total=0, clock=self._clock))
            meter.update(sum(count for (of, _), count in self._done.items() if of == stage))
            self._write(f"{stage}: {meter}")


def _show(done: Synced) -> None:
    sync = done.sync
    click.echo(f"{sync.mode} sync {sync.number} of {sync.entity}, {sync.date}: {sync.state}")
    click.echo(f"pages: {done.rows:,} rows in {done.pages:,} pages")
    for stage, counts in done.stages.items():
        words = [f"{counts.written:,} written", f"{counts.superseded:,} superseded"]
        words += [f"{counts.rejected:,} rejected"] * bool(counts.rejected)
        click.echo(f"{stage}: {', '.join(words)}")
    for text in done.left[:SHOWN]:
        click.echo(f"left: {text}", err=True)


def _show_status(settings: Settings, entity: str, as_json: bool) -> int:
    """The last syncs, newest first, with what is not through of each."""
    from ingest_project.core.syncing import DONE
    from ingest_project.ledgers.sql import SqlLedger

    ledger = SqlLedger(settings.ledger_url)
    found: list[dict[str, Any]] = []
    try:
        for one in ledger.syncs.syncs(entity, limit=SHOWN):
            slices = ledger.syncs.status(one.number)
            left = [f"{part.slice.name} {part.state}: {part.reason}" for part in slices if part.state != DONE]
            sums = {name: sum(getattr(part, name) for part in slices) for name in ("rows", "pages", "bytes")}
            found.append({**asdict(one), "expected": one.rows, **sums, "slices": len(slices), "left": left})
    finally:
        ledger.close()
    if as_json:
        click.echo(json.dumps({"syncs": found}, indent=2))
        return 0
    for row in found:
        through = row["slices"] - len(row["left"])
        click.echo(
            f"{row['mode']} {row['number']} of {row['date']}: {row['state']}, {through} of {row['slices']} "
            f"slices, {row['rows']:,} rows in {row['pages']:,} pages"
        )
        for text in row["left"][:SHOWN]:
            click.echo(f"  {text}")
    if not found:
        click.echo(f"{entity} was never synced")
    return 0


def say(text: str) -> None:
    """A line beside the report."""
    click.echo(text, err=True)


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()
