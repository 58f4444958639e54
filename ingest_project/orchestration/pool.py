"""Dagster's pool of runs that work on files, a run's priority (smaller first) and its queue in a cluster.

Nothing is launched here.
"""

import dagster as dg

FILES = "ingest_files"
"""The pool of all stages of all entities. Its limit is INGEST_FILES_AT_ONCE, as it is the command line's."""

PRIORITY_TAG = "dagster/priority"
MIB = 1 << 20

QUEUE_TAG = "dagster-celery/queue"
"""Names the queue of a run in a cluster; without one it is LARGE. Elsewhere it says nothing."""

SMALL, LARGE = "small", "large"
QUEUES = (SMALL, LARGE)
SMALL_BYTES = 256 * MIB
"""Files of a small run in all: about what one process does in a minute."""


def keep_limit(instance: dg.DagsterInstance, limit: int) -> None:
    """Give the pool the deployment's limit; one call a tick costs a read where nothing changed."""
    storage = instance.event_log_storage
    known = {pool.name: pool for pool in storage.get_pool_limits()}.get(FILES)
    if known is None or known.from_default or known.limit != limit:
        storage.set_concurrency_slots(FILES, limit)


def priority(size: int) -> dict[str, str]:
    """Run tag for files of so many bytes: 0 below 1 MiB, one less with each doubling."""
    return {PRIORITY_TAG: str(-(size // MIB).bit_length())}


def queue(size: int) -> dict[str, str]:
    """Run tag for files of so many bytes: small runs do not wait behind large ones where they have workers of
    their own."""
    return {QUEUE_TAG: SMALL if size < SMALL_BYTES else LARGE}
