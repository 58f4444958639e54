"""`ingest conversations context | remember | index | diagnose`: the memory from the command line. Thin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ingest_project.entities.conversations.context import Context
    from ingest_project.entities.conversations.diagnosing import Finding

_METRICS = click.option("--metrics", is_flag=True, help="Print OpenMetrics text behind the answer.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command()
@click.argument("user")
@click.argument("session")
@click.argument("question")
@_JSON
@_METRICS
def context(user: str, session: str, question: str, as_json: bool, metrics: bool) -> None:
    """The context of a QUESTION of a USER in a SESSION: last, recent and similar messages, statistics."""
    from ingest_project.core.metrics import as_openmetrics
    from ingest_project.entities.conversations.serving import chat_memory
    from ingest_project.resources.deployments import load_settings
    from ingest_project.wire.http import run

    async def main() -> tuple[Context, str]:
        async with chat_memory(load_settings()) as memory:
            found = await memory.engine.build_context(question, user, session)
            return found, as_openmetrics(memory.meter.metrics())

    found, text = run(main)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _show(found)
    if metrics:
        click.echo(text, nl=False)


def _show(found: Context) -> None:
    for title, messages in (("session", found.session), ("recent", found.recent), ("similar", found.similar)):
        click.echo(f"{title}:")
        for one in messages:
            near = "" if one.cosine is None else f" {one.cosine:.2f}"
            click.echo(f"  {one.timestamp} {one.role}{near}: {' '.join(one.text.split())}")
    week = found.statistics
    roles = ", ".join(f"{count:,} {role}" for role, count in week.by_role.items())
    click.echo(f"7 days: {week.messages:,} messages ({roles or 'none'}), {week.tokens:,} tokens")


@click.command()
@click.argument("user")
@click.argument("session")
@click.argument("text")
@click.option("--role", default="user", show_default=True, help="user, assistant, system or tool.")
@click.option("--at", metavar="TIME", help="ISO 8601, UTC unless it names a zone; now without it.")
@click.option("--tokens", type=click.IntRange(0), help="How many it took, if somebody counted.")
@click.option("--name", default="", help="A word that no other message of the user has.")
@_JSON
def remember(
    user: str,
    session: str,
    text: str,
    role: str,
    at: str | None,
    tokens: int | None,
    name: str,
    as_json: bool,
) -> None:
    """Write the TEXT that was said in a SESSION of a USER, with its embedding.

    The same once more, with its time or its name, changes nothing.
    """
    from ingest_project.entities.conversations.keys import moment_of
    from ingest_project.entities.conversations.remembering import Message, Remembered
    from ingest_project.entities.conversations.serving import chat_memory
    from ingest_project.formats.json_tree import Refused
    from ingest_project.resources.deployments import load_settings
    from ingest_project.wire.http import run

    async def main() -> Remembered:
        moment = None if at is None else moment_of(at)
        said = Message(
            user_id=user,
            session_id=session,
            role=role,
            content=text,
            moment=moment,
            tokens=tokens,
            name=name,
        )
        async with chat_memory(load_settings(), writable=True) as memory:
            return await memory.memory.remember(said)

    try:
        done = run(main)
    except Refused as refused:
        raise click.UsageError(str(refused)) from refused
    if as_json:
        click.echo(json.dumps(asdict(done), indent=2, ensure_ascii=False))
    else:
        click.echo(f"{done.user_date} | {done.timestamp_type}")
    if not done.forgotten:
        click.echo("the cache could not be told: it may answer without this message for a while", err=True)


@click.command()
@click.option("--round", "number", type=click.IntRange(1), default=1, help="A further one reads all anew.")
@_JSON
def index(number: int, as_json: bool) -> int:
    """Fill the index of vectors in OpenSearch from the embeddings, and delete there what has expired.

    Stopped at any point, the next call of the day goes on. Exit status 1 when an embedding was rejected.
    """
    from ingest_project.entities.conversations.indexing import Indexed, index_vectors
    from ingest_project.resources.deployments import load_settings
    from ingest_project.resources.owner import new_owner
    from ingest_project.wire.http import run

    async def main() -> Indexed:
        return await index_vectors(load_settings(), new_owner(), number)

    done = run(main)
    if as_json:
        click.echo(json.dumps(asdict(done), indent=2))
    else:
        click.echo(
            f"{done.index}: {done.written:,} written, {done.rejected:,} rejected in round {done.round}, "
            f"{done.expired:,} expired ones deleted"
        )
    return 1 if done.rejected else 0


@click.command()
@click.option(
    "--users", type=click.IntRange(1, 1000), default=10, help="Contexts that are built, of as many users."
)
@_JSON
@_METRICS
def diagnose(users: int, as_json: bool, metrics: bool) -> int:
    """Look at cache, indexes, partitions, scans, batch sizes, TTL and the limits of time, cost and memory.

    Reads a sample and builds some contexts, each twice. Exit status 1 when something is wrong.
    """
    from ingest_project.core.metrics import as_openmetrics
    from ingest_project.entities.conversations import diagnosing
    from ingest_project.entities.conversations.serving import chat_memory
    from ingest_project.resources.deployments import load_settings
    from ingest_project.wire.http import run

    async def main() -> tuple[Sequence[Finding], str]:
        async with chat_memory(load_settings()) as memory:
            found = await diagnosing.diagnose(memory, users=users)
            return found, as_openmetrics(memory.meter.metrics())

    found, text = run(main)
    if as_json:
        click.echo(json.dumps({"findings": [asdict(one) for one in found]}, indent=2))
    else:
        for finding in found:
            click.echo(str(finding))
    if metrics:
        click.echo(text, nl=False)
    return 1 if any(one.verdict == "fail" for one in found) else 0


MEMORY = (context, remember, index, diagnose)
