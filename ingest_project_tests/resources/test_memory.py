"""What the C library is told about its heaps. How memory presses is tested with core.pressure and loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
