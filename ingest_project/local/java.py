"""The servers that run on Java and come from Maven Central: a real OpenSearch node, and the Tika server."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ingest_project.local.cache import ServerMissing, built, run, tool
from ingest_project.local.embedded import opensearch_problem
from ingest_project.local.ports import LOOPBACK
from ingest_project.local.servers import Place, Server, answer, probe

TIKA = "3.3.2"
KNN = "knn"
"""Setting of an OpenSearch node: ``knn=true`` gives it the plugin k-NN."""

_UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
_COLLECT = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_SOURCES = Path(__file__).parent / "maven"
_JVM = ("-Xss1m", "-Dfile.encoding=UTF-8", "-Djava.awt.headless=true")
SHORT_LIVED: Mapping[str, str] = {"jvm": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""Settings of a server that is needed for minutes: half of the CPU until it answers, slower under load."""

_QUIET_NODE = (
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dlog4j2.disable.jmx=true",
)


def java(least: int) -> Path:
    """The first Java of at least that release: on the search path, else among the system's.

    Raises:
        ServerMissing: There is none.
    """
    known = [Path(found)] if (found := shutil.which("java")) else []
    known += sorted(Path("/usr/lib/jvm").glob("*/bin/java"))
    for program in known:
        if _release(program) >= least:
            return program
    there = f"the newest is {max(map(_release, known))}" if known else "none is"
    raise ServerMissing(f"Java {least} or newer is needed, {there} installed (Debian: default-jdk-headless)")


def _release(program: Path) -> int:
    """Its feature release, as the file beside it says; 0 when it does not say."""
    try:
        lines = (program.resolve().parent.parent / "release").read_text().splitlines()
    except OSError:
        return 0
    words = dict(line.partition("=")[::2] for line in lines)
    numbers = words.get("JAVA_VERSION", "").strip('"').split(".")
    return int(numbers[0]) if numbers[0].isdigit() else 0


def _command(program: Path, memory: Sequence[str], settings: dict[str, str]) -> list[str]:
    """The beginning of a command; takes ``jvm``, flags of the machine, out of the settings."""
    return [str(program), *memory, *_JVM, *settings.pop("jvm", "").split()]


def _maven(program: Path, arguments: Sequence[str], folder: Path, wanted_for: str) -> None:
    """Run Maven under the Java of ``program``."""
    maven = tool("mvn", wanted_for=wanted_for, package="maven")
    home = program.resolve().parent.parent
    run(["env", f"JAVA_HOME={home}", maven, "-q", "-B", *arguments], folder=folder, wanted_for=wanted_for)


def _node(title: str, runner: str, log4j: str, least: int, cache: Path) -> Path:
    """The folder with a node's jars in ``lib`` and its launcher in ``classes``."""
    program = java(least)
    sources = [_SOURCES / "opensearch_node" / name for name in ("pom.xml", "LoopbackNode.java")]
    mark = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:8]

    def build(draft: Path) -> None:
        if not (program.resolve().parent / "javac").exists():
            raise ServerMissing(f"{title} needs javac beside {program} (Debian: default-jdk-headless)")
        for source in sources:
            shutil.copy(source, draft)
        versions = {"runner": runner, "log4j": log4j, "maven.compiler.release": str(least)}
        words = [f"-D{name}={value}" for name, value in versions.items()]
        _maven(program, ["package", *words], draft, title)
        for part in ("lib", "classes"):
            (draft / "target" / part).rename(draft / part)
        shutil.rmtree(draft / "target")

    return built(cache, f"opensearch-node-{runner}-{mark}", build)


def _knn(program: Path, version: str, cache: Path) -> Path:
    """The folder with the jars of the plugin k-NN. Its native libraries are not there; Lucene's engine needs
    none."""

    def build(draft: Path) -> None:
        wanted = f"-Dartifact=org.opensearch.plugin:opensearch-knn:{version}:zip"
        _maven(program, [_UNPACK, wanted, f"-DoutputDirectory={draft}"], draft, f"k-NN {version}")

    return built(cache, f"opensearch-knn-{version}", build)


def _node_command(least: int, version: str, place: Place) -> Sequence[str]:
    settings, program = dict(place.settings), java(least)
    memory = ("-Xms256m", f"-Xmx{settings.pop('heap', '1g')}")
    jvm = [*_command(program, memory, settings), *_QUIET_NODE]
    path, plugins = f"{place.program / 'classes'}:{place.program / 'lib'}/*", ""
    if settings.pop(KNN, "") == "true":
        path += f":{_knn(program, version, place.program.parent)}/*"
        plugins = "org.opensearch.knn.plugin.KNNPlugin"
    words = [plugins, *(f"{name}={value}" for name, value in settings.items())]
    return [*jvm, "-cp", path, "LoopbackNode", str(place.folder / "node"), str(place.ports["http"]), *words]


def _node_version(port: int, program: Path) -> str:
    return str(json.loads(answer(port, "GET", "/")[1])["version"]["number"])


def _opensearch(name: str, port: int, runner: str, log4j: str, least: int) -> Server:
    title = f"OpenSearch {runner.split('.')[0]}"
    obtain: Callable[[Path], Path] = partial(_node, title, runner, log4j, least)
    return Server(
        name=name,
        title=title,
        serves="opensearch",
        ports={"http": port},
        obtain=obtain,
        command=partial(_node_command, least, runner),
        problem=opensearch_problem,
        version=_node_version,
        grace=20.0,
        keeps_data=True,
        optional=least > 17,
        note="one real node; keeps its data in the state folder",
    )


OPENSEARCH_NODE = _opensearch("opensearch-node", 9201, "2.19.1.0", "2.21.0", 17)
OPENSEARCH3_NODE = _opensearch("opensearch3-node", 9202, "3.8.0.0", "2.25.4", 21)


def _tika(cache: Path) -> Path:
    title = f"Tika {TIKA}"
    program = java(17)

    def build(draft: Path) -> None:
        sources = _SOURCES / "tika_server"
        beside = draft / "beside/org/apache/tika/tika-server" / TIKA
        beside.mkdir(parents=True)
        parent = (sources / "parent.pom").read_text().replace("VERSION", TIKA)
        (beside / f"tika-server-{TIKA}.pom").write_text(parent)
        shutil.copy(sources / "pom.xml", draft)
        # A repository of its own: the stand-in must not reach the user's.
        local = f"-Dmaven.repo.local={draft / 'repository'}"
        _maven(program, [_COLLECT, local, f"-Dtika={TIKA}", f"-DoutputDirectory={draft}"], draft, title)
        shutil.rmtree(draft / "repository")

    return built(cache, f"tika-server-{TIKA}", build) / f"tika-server-standard-{TIKA}.jar"


def _tika_command(place: Place) -> Sequence[str]:
    settings = dict(place.settings)
    jvm = _command(java(17), ("-Xmx512m",), settings)
    flags = [word for name, value in settings.items() for word in (f"--{name}", value)]
    listener = ["--host", LOOPBACK, "--port", str(place.ports["http"])]
    # One process: a forked child would outlive a killed parent for a while.
    return [*jvm, "-jar", str(place.program), *listener, "--noFork", *flags]


def _tika_problem(port: int) -> str | None:
    return probe(port, "GET", "/version", b"Tika")


TIKA_SERVER = Server(
    name="tika",
    title="Tika",
    ports={"http": 9998},
    obtain=_tika,
    command=_tika_command,
    problem=_tika_problem,
    version=lambda port, program: answer(port, "GET", "/version")[1].decode().removeprefix("Apache Tika "),
    note="text out of documents; keeps nothing",
)
