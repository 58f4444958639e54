"""`ingest load`: options in, a progress bar on the way, a summary or one JSON object out."""

from __future__ import annotations

import gc
from pathlib import Path

import click

KEY_HELP = "Key of the table: id[:S][,sort[:N]]; types S, N, B, S when left out."


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--entity", metavar="E", help="Whose files they are.  [default: messages]")
@click.option("--table", metavar="T", help="Table for all files.  [default: from each file's name]")
@click.option(
    "--index",
    metavar="I",
    help="Index for all files.  [default: named after the table, if there is OpenSearch]",
)
@click.option("--no-index", is_flag=True, help="Load the table alone.")
@click.option(
    "--pattern", default="*", metavar="P", show_default=True, help="Names of the files in a folder or prefix."
)
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", help="Processes.  [default: INGEST_WORKERS]"
)
@click.option(
    "--at-once",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Files worked on at once.  [default: INGEST_FILES_AT_ONCE]",
)
@click.option("--chunk", "chunks", multiple=True, metavar="ID", help="Only this chunk; can be repeated.")
@click.option("--dry-run", is_flag=True, help="Read, validate and count; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object in place of the summary.")
@click.option("--create-table", is_flag=True, help="Make a missing table; needs --key.")
@click.option("--key", metavar="K", help=KEY_HELP)
@click.option("--endpoint", metavar="URL", help="Address of DynamoDB.")
@click.option("--region", metavar="R", help="Region of DynamoDB and S3.")
@click.option("--again", is_flag=True, help="Load also what is loaded already.")
@click.option(
    "--log-file", type=click.Path(dir_okay=False, path_type=Path), metavar="F", help="Append a log."
)
def load(
    paths: tuple[str, ...],
    entity: str | None,
    table: str | None,
    index: str | None,
    no_index: bool,
    pattern: str,
    workers: int | None,
    at_once: int | None,
    chunks: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    create_table: bool,
    key: str | None,
    endpoint: str | None,
    region: str | None,
    again: bool,
    log_file: Path | None,
) -> int:
    """Load dump files into a DynamoDB table and an OpenSearch index.

    --entity says what the files are: `messages` takes JSON dumps of any table, other entities their own files
    (`dropship`: CSV exports), into tables whose keys are known. What an entity makes of its records, orders
    of lines, is made behind them.

    PATH is a file, a folder or s3://bucket/prefix. A call that was interrupted or killed is continued by the
    same call; what is loaded already is not sent again.

    Exit status: 0 all loaded, 1 something rejected or failed, 2 wrong call, 130 interrupted.
    """
    if index and no_index:
        raise click.UsageError("--index and --no-index exclude each other")
    if chunks and dry_run:
        raise click.UsageError("--chunk and --dry-run exclude each other")
    if create_table and not key and not entity:
        raise click.UsageError("--create-table needs --key")
    # Importing makes much and leaves no garbage behind: looking for it takes a tenth of the start.
    gc.disable()
    from ingest_project.cli_loading import Call, run_load

    call = Call(
        paths=paths,
        entity=entity,
        table=table,
        index=index,
        with_index=False if no_index else None,
        pattern=pattern,
        workers=workers,
        at_once=at_once,
        chunks=frozenset(chunks),
        dry_run=dry_run,
        as_json=as_json,
        create_table=create_table,
        key=key,
        endpoint=endpoint,
        region=region,
        again=again,
        log_file=log_file,
    )
    return run_load(call)
