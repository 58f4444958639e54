"""Collection: what assets, checks, sensors and commands need of a collection of documents.

A value; the folder of the collection fills it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest_project.core.document_ledger import Enrolled
from ingest_project.core.steps import CollectionSpec
from ingest_project.resources.deployments import Settings
from ingest_project.resources.documents.desk import Desk

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a reading of the source brought.

    Attributes:
        rows: That the source gave.
        enrolled: What the ledger made of them.
    """

    mode: str
    rows: int
    enrolled: Enrolled
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A place that holds less than the account says was put there.

    Attributes:
        advice: What a person does about it.
    """

    place: str
    holds: int
    expected: int
    advice: str


def nothing_lost(settings: Settings) -> Sequence[Loss]:
    """Of a collection whose documents stay where they are."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection of documents and the ways into it.

    Attributes:
        modes: What its source can be asked for; the first one is asked for by the schedule, the last one now
            and then, for what the first one missed.
        require: Raises ConfigurationError where the deployment has no such collection.
        open: A desk; nothing is connected to before a stage has work.
        enroll: Reads the source in a mode into the ledger.
        unknown: Rows that the source has open and the ledger does not know.
        lost: Places that hold less than they were given.
    """

    spec: CollectionSpec
    modes: tuple[str, ...]
    require: Callable[[Settings], None]
    open: Callable[[Settings], Desk]
    enroll: Callable[[Settings, str, Log], Listing]
    unknown: Callable[[Settings], int]
    lost: Callable[[Settings], Sequence[Loss]] = nothing_lost
