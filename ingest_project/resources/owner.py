"""Names of processes in ledger and indices: whether the one that holds a chunk or a mode is still alive.

A process that was killed on this machine need not be waited for; of other machines nothing is known.
"""

from __future__ import annotations

import os
import platform
import uuid

import psutil

from ingest_project.local.processes import ProcessMark, alive

_WORD = "load"


def new_owner() -> str:
    """A name for this process's next load: ``load <host> <pid> <start> <number>``."""
    me = psutil.Process(os.getpid())
    return f"{_WORD} {platform.node()} {me.pid} {me.create_time():.2f} {uuid.uuid4().hex[:8]}"


def this_user() -> str:
    """``name@host`` of whoever runs this process."""
    try:
        name = psutil.Process(os.getpid()).username()
    except KeyError:
        name = str(os.getuid())
    return f"{name}@{platform.node()}"


def is_dead(owner: str) -> bool:
    """Whether the owner was a process of this host that has ended."""
    words = owner.split(" ")
    if len(words) != 5 or words[:2] != [_WORD, platform.node()]:
        return False
    try:
        return not alive(ProcessMark(pid=int(words[2]), started=float(words[3])))
    except ValueError:
        return False
