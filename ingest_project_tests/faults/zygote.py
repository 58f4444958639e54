"""A process that has everything imported and forks a child for each run, so that a run costs no start-up.

``python -m ingest_project_tests.faults.zygote``: one JSON request a line in, one JSON answer a line out. A
child that
is killed is answered by its signal: ``{"status": -9}``.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any


def _live(request: dict[str, Any], folder: Path, memory: Any) -> str:
    """The whole life of a child: one run. Imports are late, so that worker processes do without them.

    Args:
        memory: An instance in memory: each child gets its own copy of it with the fork.
    """
    import dagster as dg

    from ingest_project.resources.process import peak_rss, tree_rss
    from ingest_project_tests.faults.mortal import make_mortal

    os.environ.update(request["variables"])
    Path(os.environ["DAGSTER_HOME"]).mkdir(parents=True, exist_ok=True)
    fate = make_mortal(folder / "journal", request["kill_at"])
    kind = import_module(f"ingest_project_tests.faults.{request['kind']}")
    words = {**request["launch"], "stages": tuple(request["launch"]["stages"])}
    idle = tree_rss()
    with dg.DagsterInstance.get() if request["kept"] else nullcontext(memory) as instance:
        result = kind.execute(kind.Launch(**words), instance).status.value
    return f"{result} {fate.steps} {max(0, peak_rss() - idle)}"


def _child(request: dict[str, Any], memory: Any) -> None:
    folder, code = Path(request["folder"]), 1
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        (folder / "answer").write_text(_live(request, folder, memory))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _answer(**words: int) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def main() -> None:
    """Serve until standard input ends."""
    for name in ("deployed", "mirrored", "mortal"):
        import_module(f"ingest_project_tests.faults.{name}")
    memory = import_module("dagster").DagsterInstance.ephemeral()
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            _child(request, memory)
        _answer(pid=pid)
        _, status = os.waitpid(pid, 0)
        _answer(status=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
