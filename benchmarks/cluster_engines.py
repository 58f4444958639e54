"""``python -m benchmarks.cluster_engines [--rounds N] [--kills N]``: our launcher of runs beside dagster-ray.

In turn in one run, each with an instance of its own on one PostgreSQL: CPU and time from the launch of a run
to its step, memory of what is idle and of a run, and what follows kill -9. Web server and daemon are left
out: the runs are launched, and their health is asked for every ten seconds, as the daemon does it. All in a
network and a process namespace of its own: needs root and Linux. Ray is no dependency of the project: its
half wants the Python of an environment of its own
(`pip install -c constraints.txt '.[cluster]' dagster-ray 'ray[default]'`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

INSIDE = "--inside"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster_engines", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        # Imports the whole project: not in the process that only waits.
        from benchmarks.engine_runs import inside

        inside(given.rounds, given.kills)
        return
    if os.geteuid() != 0 or sys.platform != "linux":
        sys.exit("left out: namespaces and control groups need root on Linux")
    apart = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*apart, sys.executable, "-m", "benchmarks.cluster_engines", *sys.argv[1:], INSIDE]
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
