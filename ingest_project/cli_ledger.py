"""`ingest status` and `ingest rejections`: what the ledger knows, of Dagster's runs and of `ingest load`
alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.overview import stages_of

if TYPE_CHECKING:
    from ingest_project.ledgers.rejections import DeadLetter
    from ingest_project.ledgers.sql import SqlLedger
    from ingest_project.ledgers.summaries import FileSummary

STATES = ("open", "claimed", "sealed", "failed")


def _ledger() -> SqlLedger:
    from ingest_project.ledgers.sql import SqlLedger
    from ingest_project.resources.deployments import load_settings

    return SqlLedger(load_settings().ledger_url)


@click.command()
@click.option("--date", metavar="D", help="One date; `cli` for what was loaded by `ingest load`.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(date: str | None, as_json: bool) -> None:
    """Show files and chunks by state, Dagster's and those of `ingest load`."""
    from ingest_project.cli_overview import imports_of, show_imports
    from ingest_project.resources.deployments import load_settings
    from ingest_project.resources.overviews import overviews

    ledger = _ledger()
    try:
        imports = overviews(load_settings(), ledger, date)
        document = imports_of(imports) | _status(ledger, date)
    finally:
        ledger.close()
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        _show_status(document)
        show_imports(imports)


def _status(ledger: SqlLedger, date: str | None) -> dict[str, Any]:
    chunks: dict[str, dict[str, int]] = {}
    unfinished: list[dict[str, str]] = []
    for row in ledger.status(date=date):
        if row.state == "failed" or (row.state == "open" and row.reason):
            names = ("chunk_id", "stage", "state", "uri", "reason")
            unfinished.append({name: getattr(row, name) for name in names})
        states = chunks.setdefault(f"{row.entity}/{row.stage}", dict.fromkeys(STATES, 0))
        states[row.state] += 1
    summaries = ledger.summary(date=date)
    seen: dict[str, set[str]] = {}
    for summary in summaries:
        seen.setdefault(summary.entity, set()).update(summary.stages)
    files = [_file(summary, set(stages_of(seen[summary.entity]))) for summary in summaries]
    entities = sorted({summary["entity"] for summary in files} | {"messages"})
    inbox = {entity: ledger.files.states(entity, date) for entity in entities}
    waiting = {entity: states for entity, states in inbox.items() if states}
    return {"chunks": chunks, "unfinished": unfinished, "inbox": waiting, "files": files}


def _file(summary: FileSummary, stages_of_entity: set[str]) -> dict[str, Any]:
    stages = {
        name: {"chunks": stage.chunks, "sealed": stage.sealed, "failed": stage.failed, **asdict(stage.counts)}
        for name, stage in summary.stages.items()
    }
    names = ("entity", "date", "uri", "target", "chunks", "read", "rejected", "seconds")
    return {
        **{name: getattr(summary, name) for name in names},
        "state": _state(summary, stages_of_entity),
        "stages": stages,
        "reasons": dict(summary.reasons),
        "failures": list(summary.failures),
    }


def _state(summary: FileSummary, wanted: set[str]) -> str:
    """Whether all chunks are sealed in all stages. A load of the command line may have left the index out."""
    if any(stage.failed for stage in summary.stages.values()):
        return "failed"
    stages = wanted - {"index"} if summary.entity == "load" else wanted
    sealed = all(
        name in summary.stages and summary.stages[name].sealed == summary.chunks for name in stages
    ) and all(stage.sealed == summary.chunks for stage in summary.stages.values())
    return "loaded" if sealed else "open"


def _show_status(document: dict[str, Any]) -> None:
    from ingest_project.cli_show import name_of, table

    if not document["files"] and not document["inbox"]:
        click.echo("The ledger knows of no file yet.")
        return
    for entity, states in document["inbox"].items():
        words = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        click.echo(f"files of the inbox of {entity}: {words}")
    rows = [
        [name, *(f"{states[state]:,}" for state in STATES)] for name, states in document["chunks"].items()
    ]
    table("chunks", [("stage", False), *((state, True) for state in STATES)], rows)
    columns = [("file", False), ("date", False), ("table", False), ("state", False), ("chunks", True)]
    columns += [(name, True) for name in ("read", "written", "indexed", "superseded", "rejected")]
    table("files", columns, [_row(file, name) for name, file in _named(document["files"])])
    for chunk in document["unfinished"]:
        click.echo(
            f"{name_of(chunk['uri'])}: {chunk['stage']} of chunk {chunk['chunk_id']}: {chunk['reason']}"
        )


def _named(files: Sequence[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Files with their names; the objects that a mirror's pages landed in are one line a date."""
    from ingest_project.cli_show import name_of

    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for file in files:
        alone = () if "current" in file["stages"] else (file["uri"],)
        found.setdefault((file["entity"], file["date"], file["target"], *alone), []).append(file)
    return [
        (name_of(group[0]["uri"]), group[0])
        if "current" not in group[0]["stages"]
        else (f"{len(group):,} of {group[0]['entity']}", _together(group))
        for group in found.values()
    ]


def _together(files: Sequence[dict[str, Any]]) -> dict[str, Any]:
    states = {file["state"] for file in files}
    counts = ("written", "superseded")
    return {
        **files[0],
        **{name: sum(file[name] for file in files) for name in ("chunks", "read", "rejected")},
        "state": next(state for state in ("failed", "open", "loaded") if state in states),
        "stages": {
            stage: {
                name: sum(file["stages"].get(stage, {}).get(name, 0) for file in files) for name in counts
            }
            for stage in ("current", "index")
        },
    }


def _row(file: dict[str, Any], name: str) -> list[str]:
    stages = file["stages"]
    into, index = stages.get("current", stages.get("table", {})), stages.get("index", {})
    counts = (
        file["chunks"],
        file["read"],
        into.get("written", 0),
        index.get("written", 0),
        into.get("superseded", 0),
        file["rejected"],
    )
    return [name, file["date"], file["target"], file["state"], *(f"{count:,}" for count in counts)]


@click.group()
def rejections() -> None:
    """Records that were refused: list them, show one."""


@rejections.command(name="list")
@click.option("--file", "file", metavar="F", help="Of one file: its name, or any end of its address.")
@click.option("--reason", metavar="R", help="Whose reason contains this text.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="So many at most.")
@click.option("--all", "closed_too", is_flag=True, help="Also those that a replay closed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_rejections(
    file: str | None, reason: str | None, limit: int, closed_too: bool, as_json: bool
) -> None:
    """List rejected records, by file and place in it."""
    from ingest_project.ledgers.rejections import UNSETTLED, Selection

    states = None if closed_too else UNSETTLED

    ledger = _ledger()
    try:
        uris = _uris(ledger, file)
        pages = [
            ledger.dead_letters.list(Selection(uri=uri, reason=reason, states=states), limit=limit)
            for uri in ([None] if uris is None else uris)
        ]
    finally:
        ledger.close()
    letters = [letter for page in pages for letter in page][:limit]
    if as_json:
        click.echo(json.dumps({"rejections": [_letter(letter) for letter in letters]}, indent=2))
    else:
        _show_list(letters, limit)


def _uris(ledger: SqlLedger, file: str | None) -> list[str] | None:
    """Addresses in the ledger that end with ``file``; None for all.

    Raises:
        ConfigurationError: The ledger has no such file.
    """
    if file is None:
        return None
    from urllib.parse import quote

    ends = (file, quote(file))
    found = {row.uri for row in ledger.summary() if row.uri.endswith(ends)}
    if not found:
        raise ConfigurationError(f"the ledger knows of no file {file}")
    return sorted(found)


def _letter(letter: DeadLetter) -> dict[str, Any]:
    place = ("entity", "stage", "date", "target", "uri", "ordinal", "offset", "key", "reason", "raw_bytes")
    names = (*place, "state", "replay", "closed", "closed_by")
    raw = letter.raw.decode("utf-8", "backslashreplace")
    return {"id": letter.id, **{name: getattr(letter, name) for name in names}, "raw": raw, "cut": letter.cut}


def _show_list(letters: Sequence[DeadLetter], limit: int) -> None:
    from ingest_project.cli_show import name_of, table

    if not letters:
        click.echo("No rejected record.")
        return
    columns = [("id", False), ("file", False), ("byte", True), ("key", False), ("reason", False)]
    columns.append(("state", False))
    rows = [
        [
            letter.id,
            name_of(letter.uri),
            f"{letter.offset:,}",
            letter.key[:40],
            letter.reason[:200],
            letter.state,
        ]
        for letter in letters
    ]
    table("", columns, rows)
    if len(letters) == limit:
        click.echo(f"The first {limit}; --limit shows more.")
    click.echo("One of them with its bytes: `ingest rejections show ID`")


@rejections.command(name="show")
@click.argument("id")
def show_rejection(id: str) -> None:
    """Show one rejected record with its raw bytes."""
    ledger = _ledger()
    try:
        letter = ledger.dead_letters.get(id)
    finally:
        ledger.close()
    if letter is None:
        raise ConfigurationError(f"there is no rejected record {id}")
    facts = {
        "id": letter.id,
        "file": letter.uri,
        "byte": letter.offset if letter.offset >= 0 else "unknown",
        "table": letter.target,
        "stage": letter.stage,
        "key": letter.key or "none",
        "reason": letter.reason,
        "bytes": letter.raw_bytes,
        "state": _settled(letter),
    }
    for name, value in facts.items():
        click.echo(f"{name + ':':8} {value}")
    click.echo()
    click.echo(letter.raw.decode("utf-8", "backslashreplace"))
    if letter.cut:
        click.echo(f"[cut: the first {len(letter.raw):,} of {letter.raw_bytes:,} bytes are kept]")


def _settled(letter: DeadLetter) -> str:
    if letter.closed is None:
        return letter.state
    when = datetime.fromtimestamp(letter.closed, UTC).isoformat(timespec="seconds")
    return f"{letter.state} by {letter.closed_by}, {when} (replay {letter.replay})"
