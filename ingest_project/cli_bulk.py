"""`ingest bulk ...`: validated records as objects in S3, and DynamoDB's own lanes that load them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from ingest_project.core.errors import ConfigurationError

if TYPE_CHECKING:
    from ingest_project.resources.bulk_export import BulkOptions
    from ingest_project.resources.bulk_operation import LaneOptions
    from ingest_project.resources.bulk_table import BulkOutcome, BulkTable
    from ingest_project.sinks.bulk_lanes import LaneStatus
    from ingest_project.sinks.bulk_objects import BulkManifest

MB = 10**6

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all three commands take: which objects are meant."""
    decorators: list[Decorator] = [
        click.argument("table"),
        click.option("--entity", default="messages", show_default=True, help="Whose records."),
        click.option(
            "--date", "dates", multiple=True, metavar="D", help="Records of this date; can be repeated."
        ),
        click.option(
            "--to", metavar="S3URL", help="s3://bucket/prefix.  [default: the deployment's own bucket]"
        ),
        click.option(
            "--compression",
            type=click.Choice(["zstd", "gzip", "none"]),
            default="zstd",
            show_default=True,
            help="Of the objects.",
        ),
        click.option(
            "--object-mb",
            type=click.IntRange(1, 5000),
            default=400,
            show_default=True,
            metavar="N",
            help="Megabytes of an object in S3, about.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    ]
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@click.group()
def bulk() -> None:
    """Load a table by DynamoDB's own bulk lanes, from objects in S3."""


@bulk.command()
@_options
def prepare(as_json: bool, **words: Any) -> None:
    """Write the validated records of TABLE as objects that DynamoDB imports, shuffled by key hash.

    A call that was interrupted is continued by the same call; objects that are whole are not made again.
    """
    manifest = _table(as_json=as_json, **words).prepare()
    if as_json:
        click.echo(json.dumps(manifest.as_dict(), indent=2))
    else:
        _tell_objects(manifest)


@bulk.command()
@_options
@click.option(
    "--lane",
    required=True,
    type=click.Choice(["import", "put"]),
    help="import: ImportTable, makes the table. put: StartBulkPutItems, into an existing one.",
)
@click.option(
    "--tier",
    type=click.Choice(["STANDARD", "ACCELERATED"]),
    default="STANDARD",
    show_default=True,
    help="Of the lane put.",
)
@click.option(
    "--write-units", type=click.IntRange(1024), metavar="N", help="Most write units a second, lane put."
)
@click.option("--bucket-owner", default="", metavar="ID", help="Account of the bucket, if another one.")
@click.option("--dry-run", is_flag=True, help="Print the request; write and start nothing.")
@click.option("--no-wait", is_flag=True, help="Do not watch it to its end.")
def start(
    as_json: bool,
    lane: str,
    tier: str,
    write_units: int | None,
    bucket_owner: str,
    dry_run: bool,
    no_wait: bool,
    **words: Any,
) -> int:
    """Prepare the objects of TABLE and let DynamoDB load them; count what it loaded.

    Exit status 1 when the service refused items or gave up.
    """
    if lane == "import" and write_units:
        raise click.UsageError("--write-units is of the lane put")
    options = _lane(lane, tier, write_units, bucket_owner)
    table = _table(as_json=as_json, **words)
    if dry_run:
        selected, request = table.rehearse(options)
        told = {"items": selected.items, "superseded": selected.superseded, "request": request}
        click.echo(json.dumps(told, indent=2))
        return 0
    return _tell([table.start(options, wait=not no_wait)], as_json=as_json)


@bulk.command(name="status")
@_options
@click.option("--wait", is_flag=True, help="Watch what works to its end.")
def status_(as_json: bool, wait: bool, **words: Any) -> int:
    """Show the exports of TABLE and the service's work on them; count what has ended well.

    Exit status 1 when the service refused items or gave up.
    """
    found = _table(as_json=as_json, **words).status(wait=wait)
    if not found and not as_json:
        click.echo("No objects of this table were published.")
    return _tell(found, as_json=as_json)


def _table(
    *,
    table: str,
    entity: str,
    dates: tuple[str, ...],
    to: str | None,
    compression: str,
    object_mb: int,
    as_json: bool,
) -> BulkTable:
    from ingest_project.api import entity_spec
    from ingest_project.resources.bulk_table import BulkTable
    from ingest_project.resources.deployments import load_settings

    progress = _Progress(quiet=as_json)
    return BulkTable(
        entity_spec(entity),
        load_settings(),
        table,
        _placed(to, compression, object_mb * MB),
        dates=dates,
        watch=progress.records,
        tell=progress.service,
    )


def _placed(to: str | None, compression: str, object_bytes: int) -> BulkOptions:
    from ingest_project.resources.bulk_export import BulkOptions

    place = urlsplit(to or "")
    if to and (place.scheme != "s3" or not place.netloc or place.query or place.fragment):
        raise ConfigurationError(f"--to {to!r} must be s3://BUCKET or s3://BUCKET/PREFIX")
    root = place.path.strip("/")
    return BulkOptions(bucket=place.netloc, root=root, compression=compression, object_bytes=object_bytes)


def _lane(lane: str, tier: str, write_units: int | None, owner: str) -> LaneOptions:
    from ingest_project.resources.bulk_operation import LaneOptions

    return LaneOptions(lane=lane, tier=tier, write_units=write_units, owner=owner)


class _Progress:
    """A line for each twentieth of a stage and for each look at the service, on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._told: dict[str, int] = {}

    def records(self, stage: str, done: int, total: int) -> None:
        share = 20 * done // max(1, total)
        if not self._quiet and share > self._told.get(stage, -1):
            self._told[stage] = share
            click.echo(f"{stage}: {done:,} of {total:,} records", err=True)

    def service(self, status: LaneStatus) -> None:
        if not self._quiet:
            of = f" of {status.total_bytes / MB:,.1f}" if status.total_bytes else ""
            read = f"{status.processed:,} items, {status.processed_bytes / MB:,.1f}{of} MB read"
            click.echo(f"{status.state}: {read}, {status.failed:,} refused", err=True)


def _tell_objects(manifest: BulkManifest) -> None:
    click.echo(
        f"{manifest.items:,} items in {len(manifest.objects):,} objects below "
        f"s3://{manifest.bucket}/{manifest.prefix}: {manifest.stored_bytes / MB:,.1f} MB, "
        f"{manifest.text_bytes / MB:,.1f} MB uncompressed; {manifest.superseded:,} superseded ones left out"
    )


def _tell(found: list[BulkOutcome], *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"exports": [_words(one) for one in found]}, indent=2))
    for one in found if not as_json else ():
        _tell_objects(one.manifest)
        status = one.status
        if status is None:
            click.echo("nothing was started")
            continue
        click.echo(
            f"{status.lane}: {status.state}, {status.processed:,} items read, {status.failed:,} refused"
        )
        if one.problem:
            click.echo(f"not counted as loaded: {one.problem}")
        elif status.ended:
            click.echo(f"{one.settled:,} chunks count as loaded since now")
        else:
            click.echo("it works on: `ingest bulk status TABLE --wait` watches it")
    return 1 if any(one.problem for one in found) else 0


def _words(outcome: BulkOutcome) -> dict[str, Any]:
    words = asdict(outcome)
    words["status"] = outcome.status.as_dict() if outcome.status else None
    return words
