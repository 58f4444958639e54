"""`ingest schema`: the fields of an entity that describes itself, their history, and what people decide."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest_project.core.fields import FieldEvent, KnownField

MOST_EVENTS = 20


@click.command()
@click.argument("entity", required=False)
@click.option("--accept", multiple=True, metavar="FIELD", help="The field has the new type from now on.")
@click.option("--aside", multiple=True, metavar="FIELD", help="Such values are kept in FIELD__aside.")
@click.option("--refuse", multiple=True, metavar="FIELD", help="Rows with such values stay refused.")
@click.option("--by", metavar="NAME", help="Who decides.  [default: this user]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def schema(
    entity: str | None,
    accept: tuple[str, ...],
    aside: tuple[str, ...],
    refuse: tuple[str, ...],
    by: str | None,
    as_json: bool,
) -> int:
    """Show the fields of ENTITY, and decide on changed types. Without ENTITY: those that have fields.

    Exit status 1 when a changed type waits for a decision.
    """
    from ingest_project.cli_ledger import _ledger
    from ingest_project.core.fields import ACCEPT, ASIDE, REFUSE
    from ingest_project.resources.owner import this_user

    decisions = [(ACCEPT, accept), (ASIDE, aside), (REFUSE, refuse)]
    if entity is None and any(names for _, names in decisions):
        raise click.UsageError("say the ENTITY whose field it is")
    ledger = _ledger()
    try:
        if entity is None:
            for name in ledger.fields.entities():
                click.echo(name)
            return 0
        for choice, names in decisions:
            for name in names:
                ledger.fields.decide(entity, name, choice, by=by or this_user())
        known, history = ledger.fields.known(entity), ledger.fields.history(entity)
    finally:
        ledger.close()
    (_print_json if as_json else _print)(entity, [*known.values()], history)
    return 1 if any(field.asked for field in known.values()) else 0


def _print_json(entity: str, fields: Sequence[KnownField], history: Sequence[FieldEvent]) -> None:
    said = {"entity": entity, "fields": list(map(asdict, fields)), "history": list(map(asdict, history))}
    click.echo(json.dumps(said))


def _print(entity: str, fields: Sequence[KnownField], history: Sequence[FieldEvent]) -> None:
    from ingest_project.core.fields import REPLAY, choices

    click.echo(f"{entity}: {len(fields)} fields")
    for field in fields:
        more = [("aside", field.aside), ("refused", field.refused), ("WAITS", field.asked)]
        notes = "".join(f"  {word}: {', '.join(kinds)}" for word, kinds in more if kinds)
        click.echo(f"  {field.name:<40} {' or '.join(field.kinds):<22} {field.origin:<9}{notes}")
    if history:
        click.echo("history, the last:")
    for event in history[-MOST_EVENTS:]:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event.at))
        click.echo(f"  {moment}  {event.event:<9} {event.name}: {', '.join(event.kinds)}  {event.detail}")
    waiting = [field.name for field in fields if field.asked]
    if waiting:
        click.echo(f"{len(waiting)} changed types wait; rows with them are refused until you say one of")
        for command, meaning in choices(entity, waiting[0]).items():
            click.echo(f"  {command:<{len(entity) + len(waiting[0]) + 25}}  {meaning}")
        click.echo(f"then send what was refused once more: {REPLAY}")
