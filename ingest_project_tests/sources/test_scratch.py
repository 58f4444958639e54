"""Scratch folders: gone with who made them, kept while somebody is at work in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ingest_project.sources.scratch import scratch_folder

HOLDER = """
import sys
from pathlib import Path
from ingest_project.sources.scratch import scratch_folder

with scratch_folder("test", Path(sys.argv[1])) as folder:
    (folder / "large.pdf").write_bytes(b"x")
    sys.stdout.write(f"{folder}\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


def test_a_folder_is_gone_at_the_end_also_after_an_error(tmp_path: Path) -> None:
    def work() -> None:
        with scratch_folder("test", tmp_path) as folder:
            (folder / "file").touch()
            raise ValueError("trouble")

    with pytest.raises(ValueError, match="trouble"):
        work()
    assert [] == list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_removed_and_what_others_hold_is_not(tmp_path: Path) -> None:
    (tmp_path / "ingest-other-1").mkdir()
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        left = Path(holder.stdout.readline().strip())
        with scratch_folder("test", tmp_path) as mine, scratch_folder("test", tmp_path) as another:
            assert (True, True, True) == (left.exists(), mine.exists(), another.exists())
        holder.kill()
        holder.wait()
        assert left.exists()
        with scratch_folder("test", tmp_path):
            assert not left.exists()
    assert ["ingest-other-1"] == [path.name for path in tmp_path.iterdir()]


def test_a_folder_of_somebody_else_with_a_like_name_stays(tmp_path: Path) -> None:
    theirs = tmp_path / "ingest-test-of-mine"
    theirs.mkdir()
    with scratch_folder("test", tmp_path):
        assert theirs.exists()
