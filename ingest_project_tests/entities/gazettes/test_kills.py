"""kill -9 at random moments of every step: what stands in the end is what one clean run leaves, to the byte.

Both run over the same gazettes under the same names, one after the other, each with a ledger of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.local.postgresql import database
from ingest_project.testing.gazette_files import Gazettes
from ingest_project.testing.running import RunningServer
from ingest_project_tests.entities.gazettes.mortal import LISTED, lived
from ingest_project_tests.entities.gazettes.newsroom import Newsroom, newsroom

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

KILLS = int(os.environ.get("INGEST_TEST_KILLS", "1"))
"""Of each step."""

MIX = {
    "pdf": 6,
    "docx": 1,
    "odt": 1,
    "txt": 1,
    "copy": 1,
    "association": 2,
    "unserved": 1,
    "zip": 1,
    "broken": 1,
    "empty": 1,
}
GAZETTES = Gazettes(count=sum(MIX.values()), seed="kills", mix=MIX, days=6)
STEPS = (LISTED, *(step.name for step in COLLECTION.steps))
SMALL = {
    "INGEST_GAZETTES_BATCH_SIZE": "2",
    "INGEST_GAZETTES_BULK_SIZE": "3",
    "INGEST_GAZETTES_FETCH_SIZE": "5",
    "INGEST_LOAD_MODE": "always",
}
INDICES = ("", "ambiental", "educacao")


@pytest.fixture
def room(
    tmp_path: Path, s3: S3Client, postgresql: RunningServer, opensearch_node: RunningServer
) -> Iterator[Newsroom]:
    with newsroom(GAZETTES, tmp_path, s3, postgresql, opensearch_node) as made:
        yield made


def stored(s3: S3Client, room: Newsroom) -> dict[str, bytes]:
    """Key -> content of all texts."""
    bucket = room.variables["INGEST_BUCKET"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="gazettes/").get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}


def accounts(url: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(document, stage) -> its mark, or why it is parked, and whether somebody holds it."""
    ledger = SqlDocumentLedger(url)
    themes = [f"{step}/{name}" for step in ("excerpts", "ranked") for name in INDICES]
    stages = [*(step.name for step in COLLECTION.steps), *themes]
    found = {}
    for gazette in GAZETTES:
        for stage in stages:
            one = ledger.find(COLLECTION.name, str(gazette.id), [stage])
            assert one is not None
            found[str(gazette.id), stage] = (one.state, one.document.marks, one.parked, one.cause, one.held)
    ledger.close()
    return found


def settings_of(room: Newsroom, name: str) -> Mapping[str, Any]:
    """What an index is told that load mode changes."""
    (told,) = room.search.indices.get_settings(index=name).values()
    names = ("refresh_interval", "number_of_replicas", "translog", "sort")
    return {name: told["settings"]["index"].get(name) for name in names}


def standing(room: Newsroom, s3: S3Client, ledger: str) -> dict[str, Any]:
    """All that a run leaves."""
    names = {name: room.theme_index(name) if name else room.prefix for name in INDICES}
    return {
        "flags": room.flagged(),
        "texts": stored(s3, room),
        "accounts": accounts(ledger),
        "settings": {name: settings_of(room, index) for name, index in names.items()},
        **{f"index {name}": room.documents(index) for name, index in names.items()},
    }


def wipe(room: Newsroom, s3: S3Client) -> None:
    """As before the first run; the ledger is another one anyway."""
    bucket = room.variables["INGEST_BUCKET"]
    for key in stored(s3, room):
        s3.delete_object(Bucket=bucket, Key=key)
    room.search.indices.delete(index=f"{room.prefix}*", params={"expand_wildcards": "all"})
    with psycopg.connect(room.variables["INGEST_GAZETTES_DATABASE_URL"]) as connection:
        connection.execute("UPDATE gazettes SET processed = false")


def test_runs_killed_at_random_moments_of_every_step_leave_what_one_clean_run_leaves(
    room: Newsroom, s3: S3Client, postgresql: RunningServer, tmp_path: Path
) -> None:
    rng, killed = Random(f"kills {KILLS}"), dict.fromkeys(STEPS, 0)
    with database(postgresql.url) as url:
        clean = {**room.variables, **SMALL, "INGEST_LEDGER_URL": url}
        moments = {step: lived(clean, step, tmp_path / "life") for step in STEPS}
        expected = standing(room, s3, url)
    wipe(room, s3)
    with database(postgresql.url) as url:
        mortal = {**room.variables, **SMALL, "INGEST_LEDGER_URL": url}
        for step, left in moments.items():
            ended = 0
            while killed[step] < KILLS and not ended:
                moment = rng.randint(1, max(1, left * 9 // 10))
                ended = lived(mortal, step, tmp_path / "life", kill_at=moment)
                killed[step], left = killed[step] + (not ended), left - moment
            assert ended or lived(mortal, step, tmp_path / "life")
        found = standing(room, s3, url)
    sys.stdout.write(f"killed: {killed}\n")
    assert all(killed.values()), killed
    assert expected.keys() == found.keys()
    for name, whole in expected.items():
        assert whole == found[name], (name, killed)
    assert {str(one.id) for one in GAZETTES if not one.cause} == found["flags"]
