"""Makes this process mortal: it writes down what it does to the outside, and dies by SIGKILL at a given step
of it.

A step lies before and behind every door of the engine: ledger, objects of the store, records of the source,
    requests
of the sinks, events of Dagster; and inside the ledger's transactions. Wraps our own classes only.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from ingest_project.core.loading import LoadSettings
from ingest_project.core.validating import ValidatorSettings
from ingest_project.io_managers import live
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.syncs import SyncLedger
from ingest_project.resources import engine
from ingest_project.sinks import indexes, tables
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.s3 import BucketObjects
from ingest_project.sinks.versioned import VersionedSink
from ingest_project.sources.dumps import DumpSource

Note = Callable[..., dict[str, Any]]


class Fate:
    """Counts steps and writes one line a door into the journal; at step ``kill_at`` the process ends (0:
    never)."""

    def __init__(self, journal: Path, kill_at: int) -> None:
        self._file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._kill_at, self.steps = kill_at, 0
        self._lock = threading.Lock()

    def step(self) -> None:
        with self._lock:
            self.steps += 1
            if self.steps == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def tell(self, door: str, words: dict[str, Any]) -> None:
        os.write(self._file, json.dumps({"door": door, **words}).encode() + b"\n")

    def call(self, owner: Any, name: str, note: Note | None = None) -> None:
        """Watch a function: a step before, a step behind, a line when it has returned."""
        inner = getattr(owner, name)

        @functools.wraps(inner)
        def outer(*args: Any, **kwargs: Any) -> Any:
            self.step()
            result = inner(*args, **kwargs)
            self.tell(name, note(result, *args) if note else {})
            self.step()
            return result

        setattr(owner, name, outer)

    def request(self, owner: Any, name: str, door: str, note: Note | None = None) -> None:
        """Watch a coroutine: a line and a step before, a step behind."""
        inner = getattr(owner, name)

        @functools.wraps(inner)
        async def outer(*args: Any, **kwargs: Any) -> Any:
            self.tell(door, note(*args) if note else {})
            self.step()
            result = await inner(*args, **kwargs)
            self.step()
            return result

        setattr(owner, name, outer)

    def stream(self, owner: Any, name: str) -> None:
        """Watch a generator: a step behind each of its values."""
        inner = getattr(owner, name)

        def outer(*args: Any) -> Iterator[Any]:
            for value in inner(*args):
                self.step()
                yield value

        setattr(owner, name, outer)


def make_mortal(journal: Path, kill_at: int) -> Fate:
    """From now on this process writes ``journal`` and dies at step ``kill_at``; its steps are small ones."""
    fate = Fate(journal, kill_at)
    small_steps = {
        "LoadSettings": functools.partial(LoadSettings, step_seconds=0.02, step_items=15),
        "ValidatorSettings": functools.partial(ValidatorSettings, part_records=40),
    }
    for name, settings in small_steps.items():
        setattr(engine, name, settings)
    vars(live)["SLOTS_GAP_SECONDS"] = 0.0
    fate.call(SqlLedger, "claim", lambda claim, *_: _told(claim))
    for name in ("advance", "seal", "fail", "release", "_set"):
        fate.call(SqlLedger, name)
    fate.call(BucketObjects, "put", lambda _, store, key, *__: {"key": key})
    fate.call(DumpSource, "index", lambda _, source, file: {"uri": file.uri})
    fate.stream(DumpSource, "read")
    fate.call(dg.OutputContext, "log_event")
    fate.request(DynamoDBSink, "write", "to_table", lambda _, batch: {"items": len(batch)})
    fate.request(OpenSearchSink, "write", "to_index", lambda _, batch: {"items": len(batch)})
    fate.request(VersionedSink, "write", "to_current", lambda _, batch: {"items": len(batch)})
    for name in ("land", "finish"):
        fate.call(SyncLedger, name)
    fate.request(tables, "create_table", "create_table")
    fate.request(indexes, "ensure_index", "ensure_index")
    return fate


def _told(claim: Any) -> dict[str, Any]:
    work = claim.work
    return {
        "stage": work.stage,
        "chunk": work.chunk.id,
        "sealed": claim.sealed,
        "position": claim.position.ordinal,
        "owner": claim.owner,
        "epoch": claim.epoch,
    }
