"""Runs of gazettes that are killed at work: what stands in the end is what one clean run leaves."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project.testing.gazette_files import Gazettes
from ingest_project.testing.running import RunningServer
from ingest_project_tests.entities.gazettes.newsroom import Newsroom, newsroom

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

pytestmark = pytest.mark.slow

GAZETTES = Gazettes(
    count=14,
    seed="kills",
    mix={"pdf": 7, "docx": 1, "txt": 1, "copy": 1, "association": 1, "zip": 1, "broken": 1, "empty": 1},
    days=3,
)
STAGES = ("texts", "indexed", "excerpts/", "processed")
"""Those that write; a run takes long to start, and what the others do is alike."""

RUN = (sys.executable, "-c", "from ingest_project.cli import main; main()", "gazettes", "run")
HELD = "SELECT count(*) FROM ingest_document_stages WHERE owner != '' AND stage LIKE ? || '%'"
WHOLE_SECONDS = 120.0
OURS = ("revision", "excerpt_embedding_basis")
"""Fields that hold names of indices, hashed; they differ between two deployments."""


def killed_in(room: Newsroom, stage: str, rng: random.Random) -> bool:
    """Start a run and kill it while the stage has documents at work; False: it ended before that was seen."""
    # Fewer at once, so that each stage is at work for longer.
    given = {
        **os.environ,
        **room.variables,
        "INGEST_GAZETTES_BATCH_SIZE": "2",
        "INGEST_GAZETTES_WORKERS": "1",
    }
    ledger = Path(room.variables["INGEST_HOME"]) / "ledger.db"
    with (
        subprocess.Popen(RUN, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        closing(sqlite3.connect(ledger, timeout=30)) as connection,
    ):
        end = time.monotonic() + WHOLE_SECONDS
        while process.poll() is None and time.monotonic() < end:
            if connection.execute(HELD, [stage]).fetchone()[0]:
                # Before, within or behind what it writes.
                process_wait(process, rng.uniform(0.0, 0.05))
                break
        alive = process.poll() is None
        process.kill()
    return alive


def process_wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Let it run on for so long."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def standing(room: Newsroom) -> dict[str, Any]:
    """What a deployment has in the end, without the names of its indices and buckets."""
    indices = {"": room.prefix, **{name: room.theme_index(name) for name in ("ambiental", "educacao")}}
    return {
        "flags": room.flagged(),
        "parked": room.parked(),
        **{
            name: {id: _plain(source, room) for id, source in room.documents(index).items()}
            for name, index in indices.items()
        },
    }


def _plain(source: Mapping[str, Any], room: Newsroom) -> dict[str, Any]:
    bare = {name: value for name, value in source.items() if name not in OURS}
    plain: dict[str, Any] = json.loads(json.dumps(bare).replace(room.prefix, "the-room"))
    return plain


@pytest.fixture
def rooms(
    tmp_path: Path, s3: S3Client, postgresql: RunningServer, opensearch_node: RunningServer
) -> Iterator[tuple[Newsroom, Newsroom]]:
    homes = tmp_path / "clean", tmp_path / "killed"
    for home in homes:
        home.mkdir()
    with (
        newsroom(GAZETTES, homes[0], s3, postgresql, opensearch_node) as clean,
        newsroom(GAZETTES, homes[1], s3, postgresql, opensearch_node) as killed,
    ):
        yield clean, killed


def test_runs_that_were_killed_at_work_leave_what_a_clean_one_leaves(
    rooms: tuple[Newsroom, Newsroom],
) -> None:
    clean, killed = rooms
    rng = random.Random(7)
    clean.listed()
    clean.run()
    killed.listed()
    deaths = [stage for stage in STAGES if killed_in(killed, stage, rng)]
    killed.run()
    assert len(deaths) >= 2, deaths
    found, expected = standing(killed), standing(clean)
    assert expected.keys() == found.keys()
    for name in expected:
        assert expected[name] == found[name], (name, deaths)
    assert {"flags", "", "ambiental"} <= {name for name, some in found.items() if some}
