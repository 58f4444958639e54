"""`ingest conversations ...`: the group, and what can be said of the tables without asking a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingest_project.cli_conversations_memory import MEMORY
from ingest_project.cli_conversations_steps import STEPS


@click.group()
def conversations() -> None:
    """The chat memory: its tables, its reads, what it costs."""


@conversations.command()
def lint() -> int:
    """Hold every read of the code against the definitions of the tables.

    Exit status 1 when the service would refuse one, or answer it with nothing.
    """
    from ingest_project.entities.conversations.linting import complaints
    from ingest_project.entities.conversations.queries import CONTEXT, IN_BULK, MEASURED

    found = complaints()
    for complaint in found:
        click.echo(str(complaint))
    click.echo(f"{len((*CONTEXT, *IN_BULK, *MEASURED))} reads, {len(found)} complaints")
    return 1 if found else 0


@conversations.command()
@click.option("--messages", type=click.IntRange(0), help="Messages a month.")
@click.option("--contexts", type=click.IntRange(0), help="Questions a month that want a context.")
@click.option("--cached", type=click.FloatRange(0, 1), help="Share of them that the cache answers.")
@click.option("--further", type=click.FloatRange(0, 1), help="Share of the others that are further ones.")
@click.option("--user-messages", type=click.IntRange(1), help="Messages of a user that stand.")
@click.option("--prices", type=click.Path(path_type=Path), metavar="FILE", help="Other prices, as JSON.")
def costs(prices: Path | None, **traffic: Any) -> None:
    """Model a month's bill of the old table and of the new ones, with dated prices."""
    from ingest_project.entities.conversations.costs import Traffic, report
    from ingest_project.resources.prices import PRICES, read_prices

    given = {name: value for name, value in traffic.items() if value is not None}
    for line in report(Traffic(**given), read_prices(prices) if prices else PRICES):
        click.echo(line)


for _command in (*STEPS, *MEMORY):
    conversations.add_command(_command)
