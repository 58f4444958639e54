"""Peak memory and rate of ``ingest load`` over the size of a ``{"Items":[...]}`` file; the service is null.

``python benchmarks/load_memory.py [--mb 10 100 1024] [--workers N]`` prints a row a size: records, items/s,
CPU
microseconds an item (all stages, start of Python included), peak resident MB, and the peak's ratio to the
smallest
file's. One process is measured by the kernel's own account (VmHWM), as ``ingest load --json`` reports it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, nargs="+", default=[10, 100, 400])
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    print(f"{'MB':>6} {'records':>10} {'items/s':>9} {'CPU us':>7} {'peak MB':>8} {'ratio':>6}")
    first = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for size in options.mb:
            file = Path(folder) / "messages-dump.json"
            generate(file, size << 20)
            with null_service() as url:
                report, cpu = load(file, url, Path(folder) / f"home-{size}", options.workers)
            peak = report["peak_rss_bytes"] / 2**20
            first = first or peak
            each = cpu / report["read"] * 1e6
            rate = report["items_per_second"]
            row = f"{size:>6} {report['read']:>10,} {rate:>9,.0f} {each:>7.1f}"
            print(f"{row} {peak:>8.1f} {peak / first:>6.2f}")


def generate(file: Path, size: int) -> None:
    """Items of about 1 KB with 14 attributes, as chat messages have them."""
    chance, written, number = random.Random(1), 12, 0
    with file.open("w") as out:
        out.write('{"Items":[')
        while written < size:
            text = json.dumps(item(number, chance))
            out.write("," * (number > 0) + text)
            written, number = written + len(text) + 1, number + 1
        out.write("]}")


def item(number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "id": f"m-{number:09d}",
        "session": f"s{number // 7}",
        "user": f"user{chance.randrange(100_000)}",
        "ts": 1_700_000_000 + number,
        "role": "user" if number % 2 else "assistant",
        "tokens": chance.randrange(4000),
        "score": round(chance.random(), 6),
        "ok": number % 3 == 0,
        "none": None,
        "tags": ["a", "b", str(number % 17)],
        "meta": {"lang": "de", "v": number % 5, "src": "web"},
        "preview": "x" * (60 + number % 40),
        "content": "lorem ipsum dolor sit amet " * 22,
        "price": "12.50",
    }


@contextmanager
def null_service() -> Iterator[str]:
    """DynamoDB that takes everything and keeps nothing, in a process of its own."""
    command = [sys.executable, "-m", "ingest_project.testing.fault_server", "--table", "messages"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
        server.stdin.close()


def load(file: Path, url: str, home: Path, workers: int) -> tuple[dict[str, Any], float]:
    """One ``ingest load``; returns its report and the CPU seconds of its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ingest = str(Path(sys.executable).with_name("ingest"))
    command = [
        ingest,
        "load",
        str(file),
        "--no-index",
        "--json",
        "--endpoint",
        url,
        "--workers",
        str(workers),
    ]
    environ = os.environ | {"INGEST_HOME": str(home)}
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), cpu


if __name__ == "__main__":
    main()
