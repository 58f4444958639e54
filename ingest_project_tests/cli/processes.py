"""`ingest` as a process of its own beside a fault server in this one: to be killed, and to be measured."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

# A test run that a shell put into the background ignores Ctrl-C, and its children would inherit that.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from ingest_project.cli import main
main()
"""

POLL = threading.Event()
"""Never set: ``POLL.wait(x)`` lets the other process go on."""


class Serves(Protocol):
    """A server on the event loop that starts it."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


S = TypeVar("S", bound=Serves)


@contextmanager
def serving(server: S) -> Iterator[S]:
    """The server in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def variables_of(url: str, home: Path) -> dict[str, str]:
    """The environment of a call that knows this DynamoDB alone."""
    return {
        "AWS_ENDPOINT_URL_DYNAMODB": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "INGEST_HOME": str(home),
    }


def start(arguments: list[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
    """``ingest ...`` as a process."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    """Wait until it holds; an ended process or a passed time is an error."""
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        if process.poll() is not None:
            raise AssertionError(f"it ended first: {process.communicate()}")
        POLL.wait(0.02)
    raise AssertionError("it took too long")
