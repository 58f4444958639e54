"""The code location: finds every entity's defs.py and adds what they share. No asset, no client."""

import warnings
from importlib import import_module
from pkgutil import iter_modules

import dagster as dg

from ingest_project import entities
from ingest_project.io_managers.dynamodb import DynamoDBIOManager
from ingest_project.io_managers.opensearch import OpenSearchIOManager
from ingest_project.io_managers.s3 import S3IOManager
from ingest_project.orchestration.lost_starts import lost_starts
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.policies import BatchingPolicy, MemoryPolicy, RetryingPolicy
from ingest_project.resources.process import uncollected

# Said once a process, so by every run and every tick: the versions are pinned, and tests cover what is beta.
warnings.filterwarnings("ignore", category=dg.BetaWarning)


def entity_definitions() -> list[dg.Definitions]:
    """``defs`` of every folder under ``entities``: a new entity is one new folder."""
    names = sorted(module.name for module in iter_modules(entities.__path__) if module.ispkg)
    return [import_module(f"{entities.__name__}.{name}.defs").defs for name in names]


def shared_resources() -> dict[str, object]:
    """What every entity's assets and sensors ask for, by name.

    The policies are resolved at launch: otherwise what a user turns in the Launchpad would be taken, and not
    reach ``ingest``, which holds them.
    """
    batching = BatchingPolicy.configure_at_launch()
    retrying = RetryingPolicy.configure_at_launch()
    memory = MemoryPolicy.configure_at_launch()
    ingest = IngestResource(batching=batching, retrying=retrying, memory=memory)
    return {
        "batching": batching,
        "retrying": retrying,
        "memory": memory,
        "ingest": ingest,
        "s3_io": S3IOManager(ingest=ingest),
        "dynamodb_io": DynamoDBIOManager(ingest=ingest),
        "opensearch_io": OpenSearchIOManager(ingest=ingest),
    }


# One process a run, also for what is launched from the UI: a process a step costs seconds and 110 MB each,
# and a date's load has nine steps. Parallelism is inside them.
with uncollected():
    defs = dg.Definitions.merge(
        *entity_definitions(),
        dg.Definitions(resources=shared_resources(), sensors=[lost_starts], executor=dg.in_process_executor),
    )
