"""A thousand random scripts for each sink: the account adds up and the target equals the source, or the load
ends with the right error and a second one completes it."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import ClassVar

import pytest

from ingest_project.core.errors import PermanentFailure, TargetMissing
from ingest_project.core.limits import BatchLimits
from ingest_project.core.ports import Sink
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.signing import Signer
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.fault_quotas import WriteQuota
from ingest_project.testing.fault_scripts import Fault, Script
from ingest_project.testing.fault_server import FaultServer
from ingest_project.wire.http import Endpoint
from ingest_project_tests.faults.scripted import (
    BUSY,
    OUTAGES,
    SECRET,
    SURVIVABLE,
    Record,
    Rotating,
    Terminal,
    run_seeds,
)
from ingest_project_tests.sinks.sending import INDEX, TABLE, document

BLOCK = 50
TIMEOUT = 10.0


def endpoint(url: str) -> Endpoint:
    return Endpoint(url, timeout=TIMEOUT, connections=16)


def keys_of(dice: Random) -> list[str]:
    """60 to 120 records' keys; most come once, some often."""
    count = dice.randint(60, 120)
    few = dice.randint(1, count)
    return [str(dice.randrange(few)) if dice.random() < 0.3 else f"k{number}" for number in range(count)]


class DynamoDBKind:
    """A table; every request signed."""

    versioned = False
    survivable: ClassVar = [
        *SURVIVABLE,
        faults.damaged(0, 3),
        faults.wrong(0, 1, 7),
        faults.unprocessed(0),
        faults.unprocessed(1, 2, 5, 8, 13),
        faults.unprocessed(*range(25)),
        faults.error("ThrottlingException"),
        faults.error("ProvisionedThroughputExceededException"),
        faults.error("RequestLimitExceeded", retry_after="3"),
        faults.skewed(3600.0),
        faults.skewed(-7200.0),
        faults.expired(),
    ]
    terminal: ClassVar = [
        *OUTAGES,
        Terminal(fault=faults.gone(TABLE), ends_with=TargetMissing),
        Terminal(fault=faults.error("AccessDeniedException"), ends_with=PermanentFailure),
        Terminal(fault=faults.expired(), ends_with=PermanentFailure),
    ]

    def records(self, dice: Random) -> list[Record]:
        found = []
        for place, key in enumerate(keys_of(dice)):
            good = dice.random() > 0.02
            texts = {"S": "x" * dice.randrange(80)}, {"N": f"{dice.randint(-9, 9)}.50"}, {"BOOL": True}
            value = {"id": {"S": key if good else ""}, "place": {"N": str(place)}, "any": dice.choice(texts)}
            body = json.dumps({"Item": value}, separators=(",", ":")).encode()
            # Bad records are alone with their key, so that none of them is held back by another.
            key = key if good else f"bad {place}"
            found.append(Record(key=key, value=value, body=body, rank=place, good=good))
        return found

    def server(self, script: Script, quota: WriteQuota | None) -> FaultServer:
        return FaultServer(keys={TABLE: ("id",)}, script=script, quota=quota, credentials=("access", SECRET))

    def sink(self, url: str, limits: BatchLimits, keys: Rotating) -> AbstractAsyncContextManager[Sink]:
        api = DynamoDBApi(endpoint(url), Signer(keys, region="us-east-1", service="dynamodb"))
        return DynamoDBSink(api, TABLE, limits=limits)

    def stored(self, server: FaultServer) -> dict[str, object]:
        return {item["id"]["S"]: item for item in server.tables.items[TABLE].values()}


class OpenSearchKind:
    """An index; in half of the cases with external versions, in every tenth signed as for a domain on AWS,
    in three of ten compressed."""

    survivable: ClassVar = [
        *SURVIVABLE,
        faults.refused_items(429, BUSY, 0),
        faults.refused_items(429, BUSY, 0, 3, 4, 9, 11),
        faults.refused_items(503, "unavailable_shards_exception", *range(25)),
        Fault(
            kind=faults.ITEMS,
            status=400,
            name="illegal_argument_exception",
            message="mapper [n] cannot be changed from type [long] to [text]",
            indices=(1,),
        ),
    ]
    terminal: ClassVar = [
        *OUTAGES,
        Terminal(fault=faults.gone(INDEX), ends_with=TargetMissing),
        Terminal(fault=faults.read_only(INDEX), ends_with=PermanentFailure),
        Terminal(fault=faults.error("security_exception", status=403), ends_with=PermanentFailure),
        Terminal(fault=faults.expired(), ends_with=PermanentFailure),
        Terminal(fault=faults.skewed(3600.0), ends_with=PermanentFailure),
    ]

    def __init__(self) -> None:
        self.signed = self.versioned = False

    def records(self, dice: Random) -> list[Record]:
        self.signed = dice.random() < 0.1
        keys = keys_of(dice)
        self.versioned = dice.random() < 0.5
        versions = dice.sample(range(1, len(keys) + 1), len(keys))
        found = []
        for place, key in enumerate(keys):
            good = dice.random() > 0.02
            text = b'{"place":%d,"n":%d.0,"s":"%b"}' % (place, dice.randrange(9), b"x" * dice.randrange(80))
            source = text if good else text[:-1]
            action = {"version": versions[place], "version_type": "external"} if self.versioned else {}
            rank = versions[place] if self.versioned else place
            key = key if good else f"bad {place}"
            body = document(key, source, **action)
            found.append(Record(key=key, value=source, body=body, rank=rank, good=good))
        self.compressed = dice.random() < 0.3
        return found

    def server(self, script: Script, quota: WriteQuota | None) -> FaultServer:
        keys = ("access", SECRET) if self.signed else None
        return FaultServer(indices=(INDEX,), script=script, quota=quota, credentials=keys)

    def sink(self, url: str, limits: BatchLimits, keys: Rotating) -> AbstractAsyncContextManager[Sink]:
        signer = Signer(keys, region="us-east-1", service="es") if self.signed else None
        api = OpenSearchApi(endpoint(url), signer=signer, compress=self.compressed)
        return OpenSearchSink(api, INDEX, limits=limits)

    def stored(self, server: FaultServer) -> dict[str, object]:
        return dict(server.indices.documents[INDEX])


def test_twenty_scripts_against_dynamodb() -> None:
    run_seeds(DynamoDBKind, range(20))


def test_twenty_scripts_against_opensearch() -> None:
    run_seeds(OpenSearchKind, range(20))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(20, 1000, BLOCK))
def test_a_thousand_scripts_against_dynamodb(first: int) -> None:
    run_seeds(DynamoDBKind, range(first, min(1000, first + BLOCK)))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(20, 1000, BLOCK))
def test_a_thousand_scripts_against_opensearch(first: int) -> None:
    run_seeds(OpenSearchKind, range(first, min(1000, first + BLOCK)))
