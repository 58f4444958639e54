"""The asset of the new tables, and the checks on it: they stand as defined, and every read fits them."""

from collections.abc import Iterator

import dagster as dg

from ingest_project.core.errors import IngestError
from ingest_project.entities.conversations.linting import complaints
from ingest_project.entities.conversations.standing import standing_tables
from ingest_project.entities.conversations.tables import NEW
from ingest_project.resources.clients import IngestResource
from ingest_project.wire.http import run

TABLES = dg.AssetKey(["conversations", "tables"])
READY = dg.AssetCheckSpec("as_defined", asset=TABLES, description="Status, keys, indexes, projections, TTL.")
FITTING = dg.AssetCheckSpec("reads_fit", asset=TABLES, description="What `ingest conversations lint` says.")


@dg.asset(
    key=TABLES,
    group_name="conversations",
    check_specs=[READY, FITTING],
    description="The tables of the chat memory, made where that is allowed, with their indexes and TTL.",
)
def tables(ingest: IngestResource) -> Iterator[dg.MaterializeResult[None]]:
    try:
        states = run(lambda: standing_tables(ingest.settings()))
    except IngestError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    faults = [f"{state.name}: {text}" for state in states for text in state.faults]
    wrong = [str(one) for one in complaints()]
    notes = [text for state in states for text in state.notes]
    metadata = {one.name: one.fingerprint for one in NEW} | {"notes": "; ".join(notes) or "none"}
    yield dg.MaterializeResult(
        metadata=metadata,
        check_results=[
            dg.AssetCheckResult(check_name=READY.name, passed=not faults, metadata={"faults": faults}),
            dg.AssetCheckResult(check_name=FITTING.name, passed=not wrong, metadata={"complaints": wrong}),
        ],
    )
