"""``python -m benchmarks.conversations_memory``: what a process grows by for each session that it serves.

A process of its own answers four questions of each of many sessions over a migrated memory on dynalite; what
it held after its first context is taken off. Beside it the domain's target.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.conversations_context import Question, api_of, ask, memory_of, migrate
from ingest_project import local
from ingest_project.entities.conversations.vectors_in_table import VectorsInTable
from ingest_project.resources.process import own_rss
from ingest_project.testing.conversation_messages import Messages
from ingest_project.wire.http import run

TARGET = "the domain's target: 5-15 MB a session (was 50-100)"
QUESTIONS = 4


def messages_of(count: int, users: int, now: datetime) -> Messages:
    return Messages(count=count, users=users, now=now, busy=0.0)


def sessions_of(messages: Messages, most: int) -> list[Question]:
    """One question of each of so many sessions."""
    found: dict[str, Question] = {}
    for number in range(messages.count):
        said = messages.message(number)
        session = str(said["session_id"]) if "session_id" in said else ""
        if session and session not in found:
            text = str(said["content"])[-100:]
            found[session] = Question(user=str(said["user_id"]), session=session, text=text)
        if len(found) == most:
            break
    return list(found.values())


async def grow(url: str, messages: Messages, most: int) -> None:
    asked = sessions_of(messages, most)
    async with api_of(url, connections=8) as api:
        memory = memory_of(api, messages.now)
        await ask(memory, asked[:1], 1)
        before = own_rss()
        for turn in range(QUESTIONS):
            await ask(memory, [replace(one, text=f"{one.text} {turn}") for one in asked], 4)
        grown = own_rss() - before
        store = memory.engine.vectors
        assert isinstance(store, VectorsInTable)
        print(
            f"{len(asked)} sessions of {len({one.user for one in asked})} users, {QUESTIONS} questions each: "
            f"from {before / 2**20:.0f} MiB by {grown / 2**20:.1f} MiB, "
            f"{grown / 1e6 / len(asked):.3f} MB a session; on the shelf "
            f"{store.shelf.held / 2**20:.1f} MiB of {len(store.shelf)} users; {TARGET}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=8_000)
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--grow", nargs=2, metavar=("URL", "NOW"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.grow:
        url, now = given.grow[0], datetime.fromisoformat(given.grow[1])
        asyncio.run(grow(url, messages_of(given.messages, given.users, now), given.sessions))
        return
    now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    messages = messages_of(given.messages, given.users, now)
    with tempfile.TemporaryDirectory(prefix="memory-") as place:
        home = Path(place)
        try:
            stack = local.up(home, names=("dynalite",), usual_ports=False)
            url = stack.servers["dynalite"].endpoint
            run(lambda: migrate(url, messages, home))
            command = [sys.executable, "-m", "benchmarks.conversations_memory"]
            command += ["--messages", str(given.messages), "--users", str(given.users)]
            command += ["--sessions", str(given.sessions), "--grow", url, now.isoformat()]
            subprocess.run(command, check=True)
        finally:
            local.down(home, grace=0.5)


if __name__ == "__main__":
    main()
