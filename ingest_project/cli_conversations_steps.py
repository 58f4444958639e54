"""`ingest conversations plan | migrate | verify | cut-over | clean-up`: the migration, step by step. Thin."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from ingest_project.entities.conversations.migration import Migration, Moved

T = TypeVar("T")
SHOWN = 20

_CONFIRM = click.option(
    "--confirm", default="", metavar="HASH", help="Hash of the plan; asked for where the target is elsewhere."
)


def _with(step: Callable[[Migration], Awaitable[T]], *writes: str) -> T:
    """Run one step on this deployment's migration."""
    from ingest_project.entities.conversations.migrating import migration_of
    from ingest_project.resources.deployments import load_settings
    from ingest_project.resources.owner import new_owner
    from ingest_project.wire.http import run

    async def main() -> T:
        async with migration_of(load_settings(), new_owner(), *writes) as migration:
            return await step(migration)

    return run(main)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(as_json: bool) -> None:
    """Look at the old table and keep a plan of its migration; the same content gives the same plan.

    Where the tables are elsewhere, every later step asks for the hash that is printed here.
    """
    made = _with(lambda migration: migration.make_plan())
    if as_json:
        click.echo(json.dumps({"hash": made.hash, **json.loads(made.to_json())}, indent=2))
        return
    click.echo(f"plan {made.hash} of {made.moment:%Y-%m-%d %H:%M:%S} UTC")
    for word, name in made.tables.items():
        click.echo(f"{word}: {name}, definition {made.definitions[word]}")
    click.echo(
        f"about {made.items:,} rows in {made.segments} segments; naive times are {made.zone}; kept "
        f"{made.keep.days} days; {made.model} ({made.dimensions}) as {made.codec}; the old table stays "
        f"{made.stability.days} days"
    )


@click.command()
@_CONFIRM
@click.option("--again", is_flag=True, help="Compare everything once more, also what is through.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def migrate(confirm: str, again: bool, as_json: bool) -> int:
    """Create the new tables, copy every row and make its embedding; only what differs is written.

    Stopped at any point, the next call goes on. Exit status 1 when a segment failed or a row was rejected.
    """
    from ingest_project.cli_sync import Lines, say
    from ingest_project.entities.conversations.migrating import Round, move_all

    lines = Lines(say)

    async def step(migration: Migration) -> Round:
        newest = await migration.plan(confirm)
        for stage in ("history", "embeddings"):
            lines.expect(stage, newest.items)
        return await move_all(migration, newest, confirm=confirm, again=again, progress=lines)

    done = _with(step, "history", "embeddings")
    stages = {"history": done.history, "embeddings": done.embeddings}
    if as_json:
        click.echo(json.dumps({name: _told(moved) for name, moved in stages.items()}, indent=2))
    for name, moved in stages.items():
        counts = moved.counts
        if not as_json:
            click.echo(
                f"{name}: {counts.written:,} written, {counts.unchanged:,} unchanged, {counts.rejected:,} "
                f"rejected in {len(moved.segments)} segments, {moved.seconds:.1f} s"
            )
        for segment, error in sorted(moved.failures.items()):
            click.echo(f"{name}, segment {segment}: {error}", err=True)
    return 0 if done.whole and not any(moved.counts.rejected for moved in stages.values()) else 1


def _told(moved: Moved) -> dict[str, object]:
    counts = moved.counts
    return {
        "written": counts.written,
        "unchanged": counts.unchanged,
        "superseded": counts.superseded,
        "rejected": counts.rejected,
        "written_now": moved.new.written,
        "segments": len(moved.segments),
        "failures": {str(segment): str(error) for segment, error in sorted(moved.failures.items())},
        "seconds": round(moved.seconds, 3),
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(as_json: bool) -> int:
    """Compare everything, old against new and new against old, with every index; name what differs.

    Writes nothing but its verdict. Exit status 1 when anything differs.
    """
    from ingest_project.entities.conversations.migration import Findings, Verdict

    async def step(migration: Migration) -> tuple[Verdict, Findings]:
        return await migration.verify(await migration.plan())

    verdict, found = _with(step)
    differences = [str(one) for one in found.differences]
    if as_json:
        document = {
            "plan": verdict.plan,
            "clean": verdict.clean,
            "read": dict(verdict.read),
            "rejected": verdict.rejected,
            "expired": verdict.expired,
            "differences": differences,
            "more": verdict.unnamed,
        }
        click.echo(json.dumps(document, indent=2))
        return 0 if verdict.clean else 1
    for text in differences:
        click.echo(text)
    for source, count in verdict.read.items():
        click.echo(f"{source}: {count:,} items")
    told = f"{len(differences):,} differences{' and more' * verdict.unnamed}"
    click.echo(f"plan {verdict.plan}: {told}, {verdict.rejected:,} rows rejected")
    return 0 if verdict.clean else 1


@click.command("cut-over")
@_CONFIRM
@click.option(
    "--rejected", type=click.IntRange(0), default=0, help="So many old rows stay behind, knowingly."
)
def cut_over(confirm: str, rejected: int) -> None:
    """Mark the new tables as the memory. Refused unless the last verdict is clean, fresh and of this plan."""
    from ingest_project.entities.conversations.migration import Marker

    async def step(migration: Migration) -> Marker:
        return await migration.cut_over(await migration.plan(confirm), confirm=confirm, rejected=rejected)

    marker = _with(step)
    click.echo(f"plan {marker.plan} was cut over {marker.moment:%Y-%m-%d %H:%M:%S} UTC")


@click.command("clean-up")
@click.option("--confirm", required=True, metavar="HASH", help="Hash of the plan that was cut over.")
def clean_up(confirm: str) -> None:
    """Delete the old table. Refused before its time of stability is over."""
    cleaned = _with(lambda migration: migration.clean_up(confirm), "old")
    click.echo(f"the old table was deleted {cleaned:%Y-%m-%d %H:%M:%S} UTC")


STEPS = (plan, migrate, verify, cut_over, clean_up)
