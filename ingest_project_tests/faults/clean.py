"""One clean load of a world, each stage of which can be had back: what killed runs are held against.

Dagster's checks are left out but where a load goes on: each moment to die at is one of the stage itself, and
what stands in the end is compared here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from zstandard import ZstdDecompressor

from ingest_project.core.model import WorkStatus
from ingest_project.ledgers.sql import SqlLedger
from ingest_project_tests.faults.launcher import KILLED, Attempt, Launcher, moments
from ingest_project_tests.faults.world import DAY, World, lines, record, wrapped, zipped

STAGES = ("planned", "validated", "table", "index")
PLAN = f"stages/messages/planned/date={DAY}/plan.json"
Rows = Mapping[tuple[str, str], WorkStatus]


class Vault(Protocol):
    """Keeps copies of a ledger that is not a file in the world's home."""

    def keep(self, stage: str) -> None: ...

    def give_back(self, stage: str) -> None: ...


class NoVault:
    """For a ledger that is a file in the home: it is kept with it."""

    def keep(self, stage: str) -> None: ...

    def give_back(self, stage: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class Clean:
    """One clean load: what it left behind each stage, and how many moments each stage has.

    Attributes:
        vault: Keeps the ledger where it is not in the home.
        before: Stage -> copy of the home as it was before that stage.
        rows: (stage, chunk) -> the ledger's row at the end.
        plan: The stored plan; ``parts``: chunk -> its validated lines.
    """

    world: World
    vault: Vault
    before: Mapping[str, Path]
    attempts: Mapping[str, Attempt]
    rows: Rows
    plan: bytes
    parts: Mapping[str, list[bytes]]


def drop_files(world: World) -> None:
    """One file of three chunks, one of lines with two bad records, one compressed and typed; their keys
    overlap."""
    big = [record(f"k{number % 250}", f"a{number}", pad=8000) for number in range(300)]
    small = [record(f"k{number * 2}", f"b{number}") for number in range(100)]
    typed = [record(f"k{number * 5}", f"c{number}", kind="typed") for number in range(40)]
    bad = [b'{"noid":1}', b'{"id":"","n":2}']
    world.put(DAY, f"a/{world.table}-dump.json", wrapped(big), big)
    world.put(DAY, f"b/{world.table}-dump.jsonl", lines([*small[:50], *bad, *small[50:]]), small)
    world.put(DAY, f"c/{world.table}-dump.json.gz", zipped(wrapped(typed)), typed)


def ledger_rows(world: World) -> Rows:
    ledger = SqlLedger(world.ledger_url)
    rows = {(row.stage, row.chunk_id): row for row in ledger.status("messages")}
    ledger.close()
    return rows


def published_lines(world: World) -> dict[str, list[bytes]]:
    """Chunk -> lines of the parts that its manifest names, read with a decompressor of our own."""
    found: dict[str, list[bytes]] = {}
    for key in world.stored_below("stages/messages/validated/"):
        if key.endswith("/manifest.json"):
            folder = key.removesuffix("manifest.json")
            parts = json.loads(world.stored(key) or b"")["parts"]
            names = [f"{folder}part-{part['number']:05d}.jsonl.zst" for part in parts]
            content = b"".join(inflate(world.stored(name) or b"") for name in names)
            found[folder] = content.splitlines()
    return found


def inflate(content: bytes) -> bytes:
    with ZstdDecompressor().stream_reader(content, read_across_frames=True) as reader:
        return reader.read()


def clean_load(world: World, launcher: Launcher, vault: Vault) -> Clean:
    """Load the world once without a disturbance, and keep what each stage found."""
    # Small requests, so that there are many moments between them.
    world.turned |= {"INGEST_DYNAMODB_BATCH_ITEMS": "10", "INGEST_OPENSEARCH_BATCH_ITEMS": "20"}
    world.turned |= {"INGEST_IN_FLIGHT": "4"}
    drop_files(world)
    before, attempts = {}, {}
    for stage in STAGES:
        before[stage] = world.home.parent / f"before-{stage}"
        shutil.copytree(world.home, before[stage])
        vault.keep(stage)
        attempts[stage] = launcher.run(world, [stage], no_checks=True)
        assert "SUCCESS" == attempts[stage].result
    plan = world.stored(PLAN)
    assert plan is not None
    parts = published_lines(world)
    assert 5 == len(parts)
    assert world.expected() == world.in_table()
    assert world.expected() == world.in_index()
    return Clean(
        world=world,
        vault=vault,
        before=before,
        attempts=attempts,
        rows=ledger_rows(world),
        plan=plan,
        parts=parts,
    )


def turn_back(clean: Clean, stage: str) -> World:
    """The world as it was before ``stage``: nothing of it and of what follows is there."""
    world = clean.world
    shutil.rmtree(world.home)
    shutil.copytree(clean.before[stage], world.home)
    clean.vault.give_back(stage)
    if stage == "planned":
        world.drop_stored("stages/messages/")
        world.drop_table()
    else:
        world.make_table()
    if stage == "validated":
        world.drop_stored("stages/messages/validated/")
    world.drop_index()
    return world


def assert_equal_to_clean(clean: Clean, *stages: str) -> None:
    """Targets value by value and digit for digit; the ledger row by row."""
    world, rows = clean.world, ledger_rows(clean.world)
    if "table" in stages:
        assert world.expected() == world.in_table()
    if "index" in stages:
        assert world.expected() == world.in_index()
    for (stage, chunk), row in clean.rows.items():
        if stage in stages:
            found = rows[(stage, chunk)]
            assert ("sealed", True) == (found.state, found.counts.balanced)
            assert outcome(row) == outcome(found)


def outcome(row: WorkStatus) -> dict[str, Any]:
    counts = row.counts
    return {
        name: getattr(counts, name) for name in ("sent", "written", "superseded", "unchanged", "rejected")
    }


def assert_started_where_it_was_durable(durable: Rows, second: Attempt) -> None:
    """Each claim of the second attempt goes on at the ledger's position; what was sealed is left alone."""
    for claim in second.claims():
        row = durable.get((claim["stage"], claim["chunk"]))
        if row is not None:
            assert (row.state == "sealed", row.counts.sent) == (claim["sealed"], claim["position"])


def kill_while_planning(clean: Clean, launcher: Launcher, moment: int, *, go_on: bool) -> None:
    """The plan is that of one clean run, whatever the moment; ``go_on``: the load as well."""
    world = turn_back(clean, "planned")
    first = launcher.run(world, ["planned"], kill_at=moment, no_checks=True)
    assert KILLED == first.status
    stored = world.stored(PLAN)
    second = launcher.run(world, ["planned"], root=first.run_id, no_checks=not go_on)
    assert "SUCCESS" == second.result
    assert clean.plan == world.stored(PLAN)
    assert (3 if stored is None else 0) == second.count("index")
    if go_on:
        assert "SUCCESS" == launcher.run(world, ["validated", "table", "index"]).result
        assert_equal_to_clean(clean, "validated", "table", "index")


def kill_while_validating(clean: Clean, launcher: Launcher, moment: int, *, go_on: bool) -> None:
    """The parts are those of one clean run, none was written twice; ``go_on``: the load as well."""
    world = turn_back(clean, "validated")
    first = launcher.run(world, ["validated"], kill_at=moment, no_checks=True)
    assert KILLED == first.status
    durable = ledger_rows(world)
    stages = ["validated", "table", "index"] if go_on else ["validated"]
    second = launcher.run(world, stages, root=first.run_id, no_checks=not go_on)
    assert "SUCCESS" == second.result
    parts = sum(row.counts.requests for (stage, _), row in durable.items() if stage == "validated")
    assert clean.attempts["validated"].parts() == parts + second.parts()
    assert_started_where_it_was_durable(durable, second)
    assert clean.parts == published_lines(world)
    assert_equal_to_clean(clean, *stages)


def kill_while_writing(clean: Clean, launcher: Launcher, stage: str, moment: int) -> None:
    """The target is that of one clean load, and what was durable was not sent again."""
    world = turn_back(clean, stage)
    first = launcher.run(world, [stage], kill_at=moment, no_checks=True)
    assert KILLED == first.status
    durable = ledger_rows(world)
    second = launcher.run(world, [stage], root=first.run_id, no_checks=True)
    assert "SUCCESS" == second.result
    written = sum(row.counts.written for (of, _), row in durable.items() if of == stage)
    assert clean.attempts[stage].items(f"to_{stage}") == written + second.items(f"to_{stage}")
    assert_started_where_it_was_durable(durable, second)
    assert_equal_to_clean(clean, stage)


def moments_of(clean: Clean, stage: str, count: int) -> list[int]:
    """``count`` moments of a stage, the same ones every time."""
    # Batches and ledger steps fall differently each time: the last steps of one run may lack in another.
    return moments(stage, clean.attempts[stage].steps * 4 // 5, count)
