"""Work for the tests of the benchmarks' frame; the row's own process imports it from here."""

from __future__ import annotations

import os
import time

from benchmarks.frame import Done, Work


def telling(units: int) -> Work:
    """Work that says where and when it was done."""

    def work() -> Done:
        (core,) = os.sched_getaffinity(0)
        return Done(units=units, figures={"process": os.getpid(), "core": core, "at": time.monotonic()})

    return work


def spinning(turns: int) -> Work:
    """Work that takes CPU time, half of it in a child."""

    def work() -> Done:
        child = os.fork()
        sum(range(turns))
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        return Done(units=turns)

    return work


def failing() -> Work:
    def work() -> Done:
        raise ValueError("no such thing")

    return work
