"""What a process says about its memory, measured in one whose children are known; and its collector."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

from ingest_project.resources.process import RARELY, spare_collector, uncollected

PROGRAM = """
import json, subprocess, sys
from ingest_project.resources.process import peak_rss, peak_rss_with
alone = peak_rss_with(2) - peak_rss()
for size in (40, 60):
    subprocess.run([sys.executable, "-c", f"held = bytearray({size} << 20)"], check=True)
print(json.dumps([alone, peak_rss_with(2) - peak_rss(), peak_rss_with(0) - peak_rss()]))
"""
MB = 2**20


def test_the_peak_of_ended_workers_counts_for_each_of_them() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True)
    alone, both, none = json.loads(done.stdout)
    assert (True, True) == (abs(alone) < MB, abs(none) < MB)
    assert 2 * 60 * MB < both < 2 * 110 * MB


CREW = """
import json, multiprocessing, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from ingest_project.resources.process import crew_rss, own_rss
other = subprocess.Popen(
    [sys.executable, "-c", "held = b'x' * (300 << 20); print(1, flush=True); input()"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
)
other.stdout.readline()
with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
    worker = pool.submit(own_rss).result()
    print(json.dumps([own_rss(), worker, crew_rss(), pool.submit(crew_rss).result()]))
other.communicate(b"\\n")
"""


def test_a_crew_is_the_first_process_and_its_workers_and_nobody_else() -> None:
    done = subprocess.run([sys.executable, "-c", CREW], check=True, capture_output=True)
    first, worker, seen, seen_by_worker = json.loads(done.stdout)
    assert 0.9 * (first + worker) < seen < 1.2 * (first + worker)
    assert 0.9 * (first + worker) < seen_by_worker < 1.2 * (first + worker)


def test_what_is_made_to_stay_is_looked_at_by_no_collection_afterwards() -> None:
    before = gc.get_freeze_count()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > before
    gc.unfreeze()


def test_a_process_of_a_load_is_collected_rarely_but_it_is() -> None:
    usual = gc.get_threshold()
    gc.disable()
    try:
        spare_collector()
        assert (True, RARELY) == (gc.isenabled(), gc.get_threshold())
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
