"""compose.yaml and Dockerfile say what the project means: its settings, its ports, no root, nothing open."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from ingest_project.local.catalogue import SERVERS
from ingest_project.resources.deployments import Settings

PROJECT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
OURS = ("code", "web", "daemon", "worker")


def test_the_parts_of_a_cluster_have_one_environment_that_the_project_understands(tmp_path: Path) -> None:
    environment = SERVICES["worker"]["environment"]
    assert [environment] * len(OURS) == [SERVICES[name]["environment"] for name in OURS]
    settings = Settings.from_env({**environment, "INGEST_HOME": str(tmp_path)})
    endpoints = (settings.s3_endpoint, settings.dynamodb_endpoint, settings.opensearch_endpoint)
    assert [True] * 3 == [endpoint is not None and endpoint.is_loopback for endpoint in endpoints]
    assert [SERVERS[name].ports["http"] for name in ("s3", "dynamodb")] == [
        endpoint.port for endpoint in endpoints[:2] if endpoint is not None
    ]
    assert settings.broker_url.startswith("redis://127.0.0.1:")


def test_all_that_dagster_s_instance_asks_for_is_set() -> None:
    wanted = set(re.findall(r"env: (\w+)", (PROJECT / "deploy" / "cluster" / "dagster.yaml").read_text()))
    image = set(re.findall(r"\b([A-Z][A-Z_]+)=", DOCKERFILE))
    assert wanted <= image | SERVICES["worker"]["environment"].keys()


def test_nothing_is_reachable_but_the_page_and_that_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert {"hub": ["127.0.0.1:3000:3000"]} == ports
    apart = {name for name, service in SERVICES.items() if service.get("network_mode") != "service:hub"}
    assert {"hub"} == apart


def test_every_image_has_a_version() -> None:
    foreign = {service["image"] for service in SERVICES.values() if "build" not in service}
    base = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert [] == [image for image in (*foreign, *base) if not re.search(r":\d+\.\d+", image)]


def test_the_workers_take_as_many_runs_as_dagster_launches() -> None:
    document = yaml.safe_load((PROJECT / "deploy" / "cluster" / "dagster.yaml").read_text())
    worker = SERVICES["worker"]
    taken = worker["deploy"]["replicas"] * int(worker["command"][-1])
    assert document["concurrency"]["runs"]["max_concurrent_runs"] == taken


def test_the_code_server_listens_where_the_workspace_looks_for_it() -> None:
    document = yaml.safe_load((PROJECT / "deploy" / "cluster" / "workspace.yaml").read_text())
    server = document["load_from"][0]["grpc_server"]
    command = SERVICES["code"]["command"]
    assert [server["host"], str(server["port"])] == [
        command[command.index(flag) + 1] for flag in ("-h", "-p")
    ]


def test_the_image_is_not_run_by_root_and_copies_what_is_not_ignored() -> None:
    assert ["10001:10001"] == re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [word for line in copied for word in line.split()]
    assert [] == [source for source in sources if not (PROJECT / source).exists()]
    assert {source.split("/")[0] for source in sources} <= allowed


def test_what_is_waited_for_can_say_that_it_is_healthy() -> None:
    waited = {name for service in SERVICES.values() for name in service.get("depends_on", ())}
    assert {"postgresql", "redis", "opensearch", "emulators", "code"} == waited
    assert set() == {name for name in waited if "healthcheck" not in SERVICES[name]}
    assert {"web", "daemon"} == {
        name for name, service in SERVICES.items() if "code" in service.get("depends_on", ())
    }


def test_the_image_can_be_made_with_the_extras_that_its_comment_names() -> None:
    named = {word for words in re.findall(r"EXTRAS=([\w,]+)", DOCKERFILE) for word in words.split(",")}
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"cluster", "kubernetes", "local"} == named & extras.keys() == named
