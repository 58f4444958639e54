"""Redis and dynalite: small servers of the machine's own package managers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ingest_project.local.cache import built, run, tool
from ingest_project.local.embedded import dynamodb_problem
from ingest_project.local.ports import LOOPBACK
from ingest_project.local.servers import Place, Server, exchange

DYNALITE = "4.0.0"


def _redis(cache: Path) -> Path:
    return tool("redis-server", wanted_for="Redis", package="redis-server")


def _redis_command(place: Place) -> Sequence[str]:
    settings = {"save": "", "appendonly": "no", "daemonize": "no", **place.settings}
    flags = [word for name, value in settings.items() for word in (f"--{name}", value)]
    listener = ["--port", str(place.ports["http"]), "--bind", LOOPBACK, "--dir", str(place.folder)]
    return [str(place.program), *listener, *flags]


def _redis_problem(port: int) -> str | None:
    try:
        word = exchange(port, b"PING\r\n")
    except OSError as error:
        return f"no answer on port {port}: {error}"
    return None if word == b"+PONG\r\n" else f"port {port} answers {word[:120]!r}"


def _redis_version(port: int, program: Path) -> str:
    lines = exchange(port, b"INFO server\r\n").decode().splitlines()
    return next(line.partition(":")[2] for line in lines if line.startswith("redis_version:"))


REDIS = Server(
    name="redis",
    title="Redis",
    ports={"http": 6380},
    obtain=_redis,
    command=_redis_command,
    problem=_redis_problem,
    version=_redis_version,
    note="in memory: its keys are gone when it stops",
    address="redis://{host}:{port}/0",
)


def _dynalite(cache: Path) -> Path:
    """The folder of the npm package."""
    title = f"dynalite {DYNALITE}"
    npm = tool("npm", wanted_for=title, package="npm")
    tool("node", wanted_for=title, package="nodejs")

    def build(draft: Path) -> None:
        flags = ["--no-audit", "--no-fund", "--no-save", "--omit=dev", "--loglevel=error"]
        run(
            [npm, "install", "--prefix", draft, *flags, f"dynalite@{DYNALITE}"],
            folder=draft,
            wanted_for=title,
        )

    return built(cache, f"dynalite-{DYNALITE}", build) / "node_modules" / "dynalite"


def _dynalite_command(place: Place) -> Sequence[str]:
    node = tool("node", wanted_for="dynalite", package="nodejs")
    quick = {"createTableMs": "0", "deleteTableMs": "0"}
    settings = {"path": str(place.folder / "data"), **quick, **place.settings}
    flags = [word for name, value in settings.items() for word in (f"--{name}", value)]
    listener = ["--host", LOOPBACK, "--port", str(place.ports["http"])]
    return [str(node), str(place.program / "cli.js"), *listener, *flags]


def _dynalite_version(port: int, program: Path) -> str:
    return str(json.loads((program / "package.json").read_text())["version"])


DYNALITE_SERVER = Server(
    name="dynalite",
    title="dynalite",
    serves="dynamodb",
    ports={"http": 8001},
    obtain=_dynalite,
    command=_dynalite_command,
    problem=dynamodb_problem,
    version=_dynalite_version,
    keeps_data=True,
    note="strict as DynamoDB is; keeps its tables in the state folder",
)
