"""What keeps memory flat over the size of a load: two heaps, stages that hand back, buffers of a merge.

How memory presses is tested with core.pressure and loads.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from ingest_project.core.superseding import superseded
from ingest_project.resources import crew
from ingest_project.sinks.parts import LocalPartStore
from ingest_project.testing.laws_parts import numbered, store_part
from ingest_project.testing.samples import sample_chunk
from ingest_project_tests.resources.indices.depot import Depot, records

HEAPS = """
import ctypes, sys, tempfile
from threading import Barrier, Thread
from ingest_project.resources.memory import share_heaps

if sys.argv[1:]:
    share_heaps()
together = Barrier(6)

def take():
    held = [bytearray(2000) for _ in range(1000)]
    together.wait(30)

threads = [Thread(target=take) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as file:
    out = libc.fopen(file.name.encode(), b"w")
    libc.malloc_info(0, ctypes.c_void_p(out))
    libc.fclose(ctypes.c_void_p(out))
    print(file.read().count(b"<heap nr"))
"""


def heaps(*told: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", HEAPS, *told], capture_output=True, text=True, timeout=60, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the setting is glibc's")
def test_threads_share_two_heaps_once_a_load_is_watched() -> None:
    assert heaps() > 2
    assert heaps("shared") == 2


STAGES = """
import sys
from ingest_project.resources.memory import hand_back
from ingest_project.resources.process import own_rss

held = [bytearray(50_000) for _ in range(1000)]
pin = bytearray(50_000)
del held
before = own_rss()
if sys.argv[1:]:
    hand_back()
print(before - own_rss())
"""


def freed(*told: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", STAGES, *told], capture_output=True, text=True, timeout=60, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the call is glibc's")
def test_what_a_stage_has_freed_between_what_lives_on_goes_back_to_the_system() -> None:
    assert freed() < 5_000_000
    assert freed("told") > 40_000_000


def test_each_stage_of_a_crew_begins_with_what_the_one_before_has_freed_handed_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot = Depot(url="http://127.0.0.1:9", home=tmp_path, table="small")
    depot.drop(records(3), name="a")
    seen: list[str] = []
    monkeypatch.setattr(crew, "hand_back", lambda: seen.append("handed back"))
    chunks = depot.validate()
    with crew.Crew(depot.assembly()) as own:
        seen += [outcome.state for outcome in own.run("validated", chunks)]
        seen += [outcome.state for outcome in own.run("validated", chunks)]
    assert ["handed back", "sealed"] * 2 == seen[-4:]


def held_by_a_merge(folder: Path, parts: int) -> int:
    """Bytes that looking for losers takes at its peak, over so many local parts of 100 records."""
    store, chunk = LocalPartStore(folder), sample_chunk()
    infos = [store_part(store, chunk, at, 100 * at, numbered(100)) for at in range(parts)]
    store.publish(chunk, infos)
    tracemalloc.start()
    try:
        assert not superseded([chunk], [chunk], store, at_once=1000)[chunk.id]
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_merge_holds_five_kilobytes_for_each_local_part_so_a_thousand_more_are_five_megabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    few, many = (held_by_a_merge(tmp_path / str(parts), parts) for parts in (20, 220))
    assert many - few < 200 * 5 * 1024
