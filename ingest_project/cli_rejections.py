"""`ingest rejections export` and `replay`: refused records to a file, and once more into their targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest_project.cli_ledger import _ledger, _uris, rejections

if TYPE_CHECKING:
    from ingest_project.core.entity import EntitySpec
    from ingest_project.ledgers.rejections import Selection
    from ingest_project.resources.replaying.report import ReplayReport

__all__ = ["rejections"]

FILE = click.Path(dir_okay=False, path_type=Path)


def _chosen(file: str | None, reason: str | None, date: str | None) -> list[Selection]:
    """One selection a file; one in all without a file."""
    from ingest_project.ledgers.rejections import Selection

    ledger = _ledger()
    try:
        uris = _uris(ledger, file)
    finally:
        ledger.close()
    return [Selection(uri=uri, reason=reason, date=date) for uri in ([None] if uris is None else uris)]


@rejections.command(name="export")
@click.argument("path", type=FILE, metavar="FILE")
@click.option("--file", "file", metavar="F", help="Of one file: its name, or any end of its address.")
@click.option("--reason", metavar="R", help="Whose reason contains this text.")
@click.option("--date", metavar="D", help="Of one date.")
def export_rejections(path: Path, file: str | None, reason: str | None, date: str | None) -> None:
    """Write open rejections to FILE, a line each, to be corrected and replayed."""
    from dataclasses import replace

    from ingest_project.ledgers.rejections import OPEN
    from ingest_project.resources.replaying.letters import export

    chosen = _chosen(file, reason, date)
    ledger = _ledger()
    try:
        letters = (
            letter
            for selection in chosen
            for letter in ledger.dead_letters.each(replace(selection, states=(OPEN,)))
        )
        count = export(letters, path)
    finally:
        ledger.close()
    click.echo(f"{count:,} rejections in {path}. Correct `record` in them, then:")
    click.echo(f"  ingest rejections replay {path}")


@rejections.command(name="replay")
@click.argument("path", type=FILE, metavar="[FILE]", required=False)
@click.option("--file", "file", metavar="F", help="Of one file: its name, or any end of its address.")
@click.option("--reason", metavar="R", help="Whose reason contains this text.")
@click.option("--date", metavar="D", help="Of one date.")
@click.option("--entity", metavar="E", help="Whose contract `ingest load` used.  [default: messages]")
@click.option("--index", metavar="I", default="", help="As `ingest load` was given it.")
@click.option("--by", metavar="NAME", help="Who closes them.  [default: this user]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay_rejections(
    path: Path | None,
    file: str | None,
    reason: str | None,
    date: str | None,
    entity: str | None,
    index: str,
    by: str | None,
    as_json: bool,
) -> int:
    """Send rejected records once more: those of an exported FILE as corrected there, else all open ones that
    the contract takes by now."""
    if path is not None and (file or reason or date):
        raise click.UsageError("FILE says which rejections are meant: no --file, --reason, --date beside it")
    from ingest_project.resources.deployments import load_settings
    from ingest_project.resources.owner import new_owner, this_user
    from ingest_project.resources.replaying.letters import read_corrections
    from ingest_project.resources.replaying.report import total
    from ingest_project.resources.replaying.work import ReplayOptions, replay
    from ingest_project.resources.replaying.worlds import LEDGER_NAME, Worlds

    def spec_of(name: str) -> EntitySpec:
        from ingest_project.api import DUMPS, entity_spec

        return entity_spec((entity or DUMPS) if name == LEDGER_NAME else name)

    worlds = Worlds(settings=load_settings(), spec=spec_of, owner=new_owner(), index=index)
    name = by or this_user()
    if path is not None:
        options = [ReplayOptions(corrections=read_corrections(path), by=name)]
    else:
        options = [ReplayOptions(selection=one, by=name) for one in _chosen(file, reason, date)]
    report = total(replay(worlds, one, lambda text: click.echo(text, err=True)) for one in options)
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
    else:
        _tell(report)
    return 0 if report.ok else 1


def _tell(report: ReplayReport) -> None:
    click.echo(
        f"{report.taken:,} rejections taken, {report.loaded:,} loaded, {report.refused:,} refused again"
    )
    for reason, count in report.still_refused.most_common(10):
        click.echo(f"{count:,} still refused: {reason}")
    for reason, count in report.left.most_common(10):
        click.echo(f"{count:,} left: {reason}")
    for text in report.unfinished:
        click.echo(f"not finished: {text}")
    if report.unfinished:
        click.echo("The same call goes on with what is not finished.")
