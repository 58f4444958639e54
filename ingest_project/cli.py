"""`ingest ...`: the command line. Thin: each command imports its work when it is called.

Exit status: 0 done, 1 something was rejected or failed, 2 a wrong call or configuration, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ingest_project.cli_bulk import bulk
from ingest_project.cli_conversations import conversations
from ingest_project.cli_gazettes import gazettes
from ingest_project.cli_index import index
from ingest_project.cli_ledger import status
from ingest_project.cli_load import load
from ingest_project.cli_local import demo, doctor, down, services, up
from ingest_project.cli_plan import plan
from ingest_project.cli_rejections import rejections
from ingest_project.cli_schema import schema
from ingest_project.cli_sync import sync
from ingest_project.cli_worker import worker
from ingest_project.core.errors import ConfigurationError, IngestError, RemoteWriteRefused

FAILED, USAGE, INTERRUPTED = 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ingest-project", prog_name="ingest")
def ingest() -> None:
    """Dump files into DynamoDB and OpenSearch, every record accounted for.

    Configured by environment variables (docs/configuration.md). Without any, the embedded services of this
    machine are used: start them with `ingest services up`.
    """


WORK = (load, sync, gazettes, conversations, plan, status, rejections, schema, index, bulk)
MACHINE = (doctor, services, up, down, demo, worker)
for command in (*WORK, *MACHINE):
    ingest.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script; ends the process with the exit status."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    try:
        done = ingest.main(args=arguments, prog_name="ingest", standalone_mode=False)
        return done if isinstance(done, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except IngestError as error:
        click.echo(f"Error: {error}", err=True)
        wrong_call = isinstance(error, ConfigurationError) and not isinstance(error, RemoteWriteRefused)
        return USAGE if wrong_call else FAILED
