"""`ingest index ...`: the OpenSearch indices that were made here: list, rebuild, switch, restore, delete."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ingest_project.core.errors import ConfigurationError

if TYPE_CHECKING:
    from ingest_project.resources.index_keeper import IndexKeeper
    from ingest_project.resources.rebuilding import Rebuilder, Rebuilt

ALIAS = click.option("--alias", metavar="A", help="Alias to move.  [default: the table's name in lower case]")
DELETE_OLD = click.option("--delete-old", is_flag=True, help="Delete the index that was in use.")
FEWER = click.option("--accept-fewer", is_flag=True, help="Switch also to less than there was.")
ENTITY = click.option("--entity", default="messages", show_default=True, help="Whose records.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def index() -> None:
    """The OpenSearch indices that were made here."""


@index.command(name="list")
@JSON
def list_indices(as_json: bool) -> None:
    """List them with table, aliases, documents, and what is unfinished."""
    with _keeper() as keeper:
        views = keeper.views()
    if as_json:
        click.echo(json.dumps({"indices": [asdict(view) for view in views]}, indent=2))
        return
    if not views:
        click.echo("No index was made here.")
        return
    from ingest_project.cli_show import table

    columns = [("index", False), ("table", False), ("aliases", False), ("documents", True), ("state", False)]
    rows = [
        [view.name, view.table, " ".join(view.aliases), f"{view.documents:,}", view.state] for view in views
    ]
    table("", columns, rows)


@index.command()
@click.argument("table")
@ENTITY
@ALIAS
@click.option("--no-switch", is_flag=True, help="Fill and check the new index; leave the alias.")
@DELETE_OLD
@FEWER
@click.option("--anew", is_flag=True, help="Do not go on with one that was begun.")
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", help="Processes.  [default: INGEST_WORKERS]"
)
@JSON
def rebuild(table: str, as_json: bool, **words: Any) -> None:
    """Load the validated records of TABLE into a new index, and switch its alias to it.

    The alias moves when the new index holds what the ledger says and a sample reads back equal, in one step.
    A call that was interrupted is continued by the same call.
    """
    _tell(_rebuilder(table, as_json=as_json, **words).rebuild(), as_json=as_json)


@index.command()
@click.argument("table")
@click.argument("new")
@ENTITY
@ALIAS
@DELETE_OLD
@FEWER
@JSON
def switch(table: str, new: str, as_json: bool, **words: Any) -> None:
    """Switch the alias of TABLE to index NEW, which `rebuild --no-switch` has filled."""
    _tell(_rebuilder(table, as_json=as_json, **words).switch(new), as_json=as_json)


@index.command()
def restore() -> None:
    """Give the indices of loads that were killed their settings back."""
    with _keeper() as keeper:
        names = keeper.restore()
        for text in keeper.notes:
            click.echo(text, err=True)
    for name in names:
        click.echo(f"restored {name}")
    if not names:
        click.echo("No index was left in load mode.")


@index.command()
@click.argument("name", metavar="INDEX")
def delete(name: str) -> None:
    """Delete an index that was made here and that no alias stands for."""
    with _keeper() as keeper:
        view = keeper.delete(name)
    click.echo(f"deleted {view.name}: {view.documents:,} documents of {view.table}")


def _keeper() -> IndexKeeper:
    from ingest_project.resources.deployments import load_settings
    from ingest_project.resources.index_keeper import IndexKeeper

    return IndexKeeper(load_settings())


def _rebuilder(
    table: str,
    *,
    entity: str,
    as_json: bool,
    alias: str | None = None,
    no_switch: bool = False,
    delete_old: bool = False,
    accept_fewer: bool = False,
    anew: bool = False,
    workers: int | None = None,
) -> Rebuilder:
    from ingest_project.api import entity_spec
    from ingest_project.resources.deployments import load_settings
    from ingest_project.resources.rebuilding import Rebuilder, RebuildOptions
    from ingest_project.sinks.indexes import name_fault

    if alias and (fault := name_fault(alias)):
        raise ConfigurationError(f"--alias {alias!r}: the name {fault}")
    options = RebuildOptions(
        alias=alias or "",
        switch=not no_switch,
        delete_old=delete_old,
        fewer=accept_fewer,
        anew=anew,
        workers=workers,
    )
    return Rebuilder(
        entity_spec(entity),
        load_settings(),
        table,
        options,
        log=(lambda text: None) if as_json else (lambda text: click.echo(text, err=True)),
    )


def _tell(made: Rebuilt, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(made), indent=2))
        return
    for text in made.notes:
        click.echo(text, err=True)
    click.echo(
        f"{made.index}: {made.documents:,} documents, as many as in the ledger; {made.compared} read back"
    )
    if not made.switched:
        click.echo(f"{made.alias} was left; `ingest index switch TABLE {made.index}` moves it")
        return
    former = f", before for {made.former}" if made.former else ""
    click.echo(f"{made.alias} stands for it{former}{' (deleted)' if made.deleted else ''}")
    if made.late:
        click.echo(f"{made.late} chunks that came meanwhile were loaded behind it")
