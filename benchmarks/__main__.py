"""``make bench``: every claim in turn, each a file of its own that can be run alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CLAIMS = (
    ("reading", ()),
    ("encoding", ()),
    ("dynamodb_sink", ()),
    ("dynamodb_sink", ("--delay", "0.01", "--items", "20000")),
    ("opensearch_sink", ()),
    ("opensearch_backpressure", ()),
    ("load_memory", ()),
)


def main() -> int:
    failed = 0
    for name, options in CLAIMS:
        print(f"\n== {name} {' '.join(options)}", flush=True)
        script = Path(__file__).with_name(f"{name}.py")
        failed += subprocess.run([sys.executable, str(script), *options], check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
