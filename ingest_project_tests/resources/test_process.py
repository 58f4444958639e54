"""What a process says about its memory; measured in one of its own, whose children are known."""

from __future__ import annotations

import json
import subprocess
import sys

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
