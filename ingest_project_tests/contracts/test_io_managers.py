"""Laws of the IO managers, run through Dagster over every server of the store that each one writes to.

A range is drained slot by slot: a slot that fails harms no other, what is stored is what the metadata count,
and a second run touches nothing. Marks that any write would wipe show the last; stores are read with other
clients.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from zstandard import ZstdDecompressor

from ingest_project import local
from ingest_project.testing.running import RunningServer
from ingest_project_tests import readback
from ingest_project_tests.every_server import Clients
from ingest_project_tests.faults.deployed import PLANNED, SLOTS, STAGES
from ingest_project_tests.faults.world import DAY, Number, lines, new_world, record, untyped, wrapped
from ingest_project_tests.orchestration.desk import Desk, operated

pytestmark = pytest.mark.dagster

DONE, FAILED = "MATERIALIZED", "FAILED"
NAMES = {"ones": 60, "twos": 40, "tres": 20}


def by_value(value: Any) -> Any:
    """The same with numbers that are equal when their values are: some servers spell ``1.10`` as ``1.1``."""
    if isinstance(value, Number):
        return Decimal(value)
    if isinstance(value, dict):
        return {name: by_value(one) for name, one in value.items()}
    return [by_value(one) for one in value] if isinstance(value, list) else value


@pytest.fixture
def desk_over(
    clients: Clients, tmp_path_factory: pytest.TempPathFactory, clean_environment: None
) -> Iterator[Any]:
    """(s3, dynamodb, opensearch) -> a desk whose world lies on these servers."""
    open_desks = []

    def make(s3: RunningServer, dynamodb: RunningServer, opensearch: RunningServer) -> Desk:
        serving = {"s3": s3, "dynamodb": dynamodb, "opensearch": opensearch}
        servers = {
            name: local.Running(name=name, mark=server.mark, ports={"http": server.port})
            for name, server in serving.items()
        }
        stack = local.Stack(home=Path(os.devnull), servers=servers, bucket="")
        world = new_world(stack, clients.boto("s3", s3), clients.boto("dynamodb", dynamodb), tmp_path_factory)
        desk = operated(world)
        open_desks.append(desk)
        return desk.__enter__()

    yield make
    for desk in open_desks:
        desk.__exit__(None, None, None)


class IOManagerLaws:
    """A stage and its store. ``desk`` lies on the servers; the rest looks at the store and marks it."""

    stage = ""

    @pytest.fixture
    def desk(self) -> Desk:
        raise NotImplementedError("override the fixture `desk`")

    def held(self, desk: Desk, table: str) -> list[Any]:
        """What the store holds of a table's records, in the order of ``expected``."""
        raise NotImplementedError

    def expected(self, desk: Desk, table: str) -> list[Any]:
        """The last record of each key."""
        found = desk.world.expected(desk.table(table))
        return [by_value(found[key]) for key in sorted(found)]

    def mark(self, desk: Desk, table: str) -> None:
        """Change something that is stored, so that any write of it would take the change away."""
        raise NotImplementedError

    def marked(self, desk: Desk, table: str) -> bool:
        raise NotImplementedError

    def drop(self, desk: Desk, *, truncated: str = "") -> None:
        """Three files for three tables; ``truncated``: that one breaks off inside its last record."""
        for name, count in NAMES.items():
            good = [record(f"{name}{number}", f"{name}.{number}") for number in range(count)]
            content = wrapped(good)
            if name == truncated:
                content, good = content[: content.rindex(b'{"id"') + 40], good[:-1]
            desk.world.put(DAY, f"{desk.table(name)}-dump.json", content, good)

    def run_before(self, desk: Desk) -> None:
        """Everything that this stage needs."""
        assert desk.run(PLANNED).is_success
        for stage in STAGES[: STAGES.index(self.stage)][:1]:
            desk.run(stage)

    def slot_of(self, desk: Desk, name: str) -> int:
        (slot,) = {chunk.slot for chunk in desk.plan().chunks if chunk.target == desk.table(name)}
        return slot

    def states(self, desk: Desk) -> dict[int, str]:
        return desk.partition_states(self.stage)

    def test_a_range_with_a_broken_slot_stores_what_is_good_and_fails_that_slot_alone(
        self, desk: Desk
    ) -> None:
        self.drop(desk, truncated="twos")
        self.run_before(desk)
        bad = self.slot_of(desk, "twos")
        assert not desk.run(self.stage).is_success
        assert {slot: FAILED if slot == bad else DONE for slot in range(SLOTS)} == self.states(desk)
        for name in NAMES:
            assert self.expected(desk, name) == self.held(desk, name)

    def test_the_failed_slot_alone_is_repaired_and_no_other_is_touched(self, desk: Desk) -> None:
        self.drop(desk, truncated="twos")
        self.run_before(desk)
        assert not desk.run(self.stage).is_success
        bad = self.slot_of(desk, "twos")
        self.mark(desk, "ones")
        self.drop(desk)
        self.run_before(desk)
        assert desk.run(self.stage, first=bad, last=bad).is_success
        assert dict.fromkeys(range(SLOTS), DONE) == self.states(desk)
        assert self.expected(desk, "twos") == self.held(desk, "twos")
        assert self.marked(desk, "ones")

    def test_a_second_run_touches_nothing_and_says_so(self, desk: Desk) -> None:
        self.drop(desk)
        self.run_before(desk)
        assert desk.run(self.stage).is_success
        before = readback.works(desk.world.ledger_url)
        for name in NAMES:
            self.mark(desk, name)
        assert desk.run(self.stage).is_success
        assert all(self.marked(desk, name) for name in NAMES)
        assert before == readback.works(desk.world.ledger_url)
        for name, count in NAMES.items():
            seen = desk.metadata(self.stage, self.slot_of(desk, name))
            assert (count, count, False) == (seen["written"], seen["already_done"], "seconds" in seen)

    def test_metadata_count_what_is_stored(self, desk: Desk) -> None:
        """Keys that come again and records that are refused included."""
        good = [record(f"k{number % 30}", f"a.{number}") for number in range(50)]
        bad = [b'{"noid":1}', b'{"id":""}']
        desk.world.put(DAY, f"{desk.table('ones')}-dump.jsonl", lines([*good[:20], *bad, *good[20:]]), good)
        self.run_before(desk)
        assert desk.run(self.stage).is_success
        seen = desk.metadata(self.stage, self.slot_of(desk, "ones"))
        stored = self.held(desk, "ones")
        assert len(stored) == seen["dagster/row_count"] == seen["written"]
        outcomes = ("written", "superseded", "unchanged", "rejected")
        assert seen["read"] == sum(seen[name] for name in outcomes)
        assert self.counts() == {name: seen[name] for name in ("read", *outcomes)}
        empty = next(slot for slot in range(SLOTS) if slot != self.slot_of(desk, "ones"))
        assert 0 == desk.metadata(self.stage, empty)["dagster/row_count"]

    def counts(self) -> dict[str, int]:
        """Of the metadata test: 50 good records with 30 keys and two bad ones, which stop before a target."""
        return {"read": 50, "written": 30, "superseded": 20, "unchanged": 0, "rejected": 0}


class TestDynamoDBIOManager(IOManagerLaws):
    stage = "table"

    @pytest.fixture
    def desk(
        self,
        desk_over: Any,
        seaweedfs: RunningServer,
        dynamodb_server: RunningServer,
        osmem: RunningServer,
    ) -> Desk:
        made: Desk = desk_over(seaweedfs, dynamodb_server, osmem)
        return made

    def held(self, desk: Desk, table: str) -> list[Any]:
        found = desk.world.in_table(desk.table(table))
        return [by_value(found[key]) for key in sorted(found)]

    def mark(self, desk: Desk, table: str) -> None:
        name = desk.table(table)
        key = min(readback.items(desk.world.dynamodb, name))
        desk.world.dynamodb.put_item(TableName=name, Item={"id": {"S": key}, "marked": {"BOOL": True}})

    def marked(self, desk: Desk, table: str) -> bool:
        found = readback.items(desk.world.dynamodb, desk.table(table))
        return "marked" in found[min(found)]


class TestOpenSearchIOManager(IOManagerLaws):
    stage = "index"

    @pytest.fixture
    def desk(
        self,
        desk_over: Any,
        seaweedfs: RunningServer,
        moto: RunningServer,
        opensearch_server: RunningServer,
    ) -> Desk:
        made: Desk = desk_over(seaweedfs, moto, opensearch_server)
        return made

    def held(self, desk: Desk, table: str) -> list[Any]:
        found = desk.world.in_index(desk.table(table))
        return [by_value(found[key]) for key in sorted(found)]

    def mark(self, desk: Desk, table: str) -> None:
        index = desk.table(table).lower()
        key = min(readback.documents(desk.world.search_url, index))
        readback.ask(desk.world.search_url, "PUT", f"/{index}/_doc/{key}?refresh=true", {"id": "marked"})

    def marked(self, desk: Desk, table: str) -> bool:
        found = readback.documents(desk.world.search_url, desk.table(table).lower())
        return json.loads(found[min(found)]) == {"id": "marked"}


class TestS3IOManager(IOManagerLaws):
    stage = "validated"

    @pytest.fixture
    def desk(
        self, desk_over: Any, s3_server: RunningServer, moto: RunningServer, osmem: RunningServer
    ) -> Desk:
        made: Desk = desk_over(s3_server, moto, osmem)
        return made

    def folder(self, desk: Desk, table: str) -> str:
        """Where the only chunk of a table has its parts now."""
        (chunk,) = [chunk for chunk in desk.plan().chunks if chunk.target == desk.table(table)]
        return f"stages/messages/validated/date={DAY}/chunk={chunk.id}/"

    def stored(self, desk: Desk, table: str) -> dict[str, bytes]:
        return readback.objects(desk.world.s3, desk.world.bucket, self.folder(desk, table))

    def held(self, desk: Desk, table: str) -> list[Any]:
        """Lines of the parts that the manifest names, as they stand there."""
        found, folder = self.stored(desk, table), self.folder(desk, table)
        parts = json.loads(found[f"{folder}manifest.json"])["parts"]
        text = b"".join(
            ZstdDecompressor()
            .stream_reader(found[f"{folder}part-{part['number']:05d}.jsonl.zst"], read_across_frames=True)
            .read()
            for part in parts
        )
        lines = [json.loads(line)["Item"] for line in text.splitlines()]
        return [by_value(untyped(line)) for line in lines]

    def expected(self, desk: Desk, table: str) -> list[Any]:
        """Every good record in its order: who supersedes whom is said later."""
        target = desk.table(table)
        texts = [text for (_, _, of), records in desk.world.good.items() if of == target for text in records]
        return [by_value(json.loads(text, parse_float=Number, parse_int=Number)) for text in texts]

    def mark(self, desk: Desk, table: str) -> None:
        for key, content in self.stored(desk, table).items():
            desk.world.s3.put_object(
                Bucket=desk.world.bucket, Key=key, Body=content, Metadata={"marked": "yes"}
            )

    def marked(self, desk: Desk, table: str) -> bool:
        heads = [
            desk.world.s3.head_object(Bucket=desk.world.bucket, Key=key)["Metadata"]
            for key in self.stored(desk, table)
        ]
        return [{"marked": "yes"}] * len(heads) == heads

    def counts(self) -> dict[str, int]:
        return {"read": 52, "written": 50, "superseded": 0, "unchanged": 0, "rejected": 2}
