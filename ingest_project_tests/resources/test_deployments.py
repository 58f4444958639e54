"""Settings from an environment: defaults, strictness, secrets, and the page that documents them."""

from __future__ import annotations

import ast
import inspect
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import KeySchema
from ingest_project.local.processes import ProcessMark
from ingest_project.local.state import Running, Stack, write_stack
from ingest_project.resources import accesses, api_access, conversation_access, deployments, gazettes_access
from ingest_project.resources.deployments import Settings, parse_key_schema, parse_table_keys
from ingest_project.resources.variables import VARIABLES, page

PROJECT = Path(__file__).resolve().parents[2]
READERS = (deployments, accesses, api_access, conversation_access, gazettes_access)


def settings(home: Path, **environ: str) -> Settings:
    return Settings.from_env(environ, home)


def pretend_running(home: Path, *, started_off: float = 0.0) -> None:
    """services.json that names this very process as all three servers."""
    mark = ProcessMark(pid=os.getpid(), started=psutil.Process().create_time() + started_off)
    servers = {
        name: Running(name=name, mark=mark, ports={"http": port})
        for name, port in (("s3", 1001), ("dynamodb", 1002), ("opensearch", 1003))
    }
    write_stack(Stack(home=home, servers=servers, bucket="made"))


def test_an_empty_environment_is_a_complete_deployment(home: Path) -> None:
    given = settings(home)
    assert given.home == home
    assert given.s3_endpoint is None
    assert given.opensearch_endpoint is None
    assert given.region == "us-east-1"
    assert given.ledger_url == f"sqlite:///{home / 'ledger.db'}"
    assert given.inbox == home / "inbox"
    assert (given.bucket, given.prefix, given.inbox_prefix) == ("ingest", "stages/", "inbox/")
    assert given.limits.dynamodb_batch_items == 25
    assert given.create_tables == "embedded"
    assert not given.may_create_table()


def test_home_comes_from_the_environment_before_the_argument(home: Path, tmp_path: Path) -> None:
    assert settings(home, INGEST_HOME=str(tmp_path)).home == tmp_path


def test_endpoints_come_from_the_standard_variables(home: Path) -> None:
    given = settings(
        home,
        AWS_ENDPOINT_URL="http://localhost:4566",
        AWS_ENDPOINT_URL_S3="http://127.0.0.1:8333/",
        OPENSEARCH_URL="https://me:p%40ss@search.example.org:9200",
    )
    assert str(given.s3_endpoint) == "http://127.0.0.1:8333"
    assert str(given.dynamodb_endpoint) == "http://localhost:4566"
    assert str(given.opensearch_endpoint) == "https://search.example.org:9200"
    assert (given.opensearch.mode, given.opensearch.username, given.opensearch.password) == (
        "basic",
        "me",
        "p@ss",
    )


def test_running_embedded_services_are_the_default(home: Path) -> None:
    pretend_running(home)
    given = settings(home, AWS_ACCESS_KEY_ID="REAL", AWS_SECRET_ACCESS_KEY="real", AWS_PROFILE="prod")
    assert given.embedded
    assert str(given.s3_endpoint) == "http://127.0.0.1:1001"
    assert str(given.dynamodb_endpoint) == "http://127.0.0.1:1002"
    assert str(given.opensearch_endpoint) == "http://127.0.0.1:1003"
    assert given.bucket == "made"
    assert (given.aws.access_key, given.aws.profile) == ("ingest-local", "")
    assert given.may_create_table()
    assert settings(home, INGEST_BUCKET="mine").bucket == "mine"
    assert settings(home, INGEST_CREATE_TABLES="never").may_create_table() is False


def test_one_address_of_the_environment_switches_the_embedded_services_off(home: Path) -> None:
    pretend_running(home)
    given = settings(home, OPENSEARCH_URL="http://localhost:9200")
    assert not given.embedded
    assert given.s3_endpoint is None


def test_a_pid_that_now_belongs_to_somebody_else_is_no_running_service(home: Path) -> None:
    pretend_running(home, started_off=-60.0)
    assert not settings(home).embedded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INGEST_IN_FLIGHT", "many"),
        ("INGEST_IN_FLIGHT", "0"),
        ("INGEST_IN_FLIGHT", "1.5"),
        ("INGEST_IN_FLIGHT", "nan"),
        ("INGEST_DYNAMODB_BATCH_ITEMS", "26"),
        ("INGEST_MEMORY_MB", "-1"),
        ("INGEST_RETRY_BASE_SECONDS", "inf"),
        ("INGEST_RETRY_CAP_SECONDS", "0.1"),
        ("INGEST_CREATE_TABLES", "yes"),
        ("INGEST_PART_STORE", "disk"),
        ("INGEST_PREFIX", "a/../b"),
        ("INGEST_INBOX_PREFIX", "/"),
        ("INGEST_TABLE_KEYS", "cities"),
        ("INGEST_TABLE_KEYS", "cities=a:X"),
        ("INGEST_TABLE_KEYS", "cities=a,b,c"),
        ("INGEST_TABLE_KEYS", "cities=a,a"),
        ("INGEST_TABLE_KEYS", "cities=a;cities=b"),
        ("INGEST_ALLOW_REMOTE_WRITES", "*"),
        ("AWS_ENDPOINT_URL_S3", "localhost:8333"),
        ("AWS_ENDPOINT_URL", "http://me:secret@localhost"),
        ("OPENSEARCH_URL", "localhost:9200"),
        ("OPENSEARCH_URL", "http://a:b@c@d"),
        ("OPENSEARCH_USERNAME", "alone"),
        ("INGEST_OPENSEARCH_AUTH", "basic"),
        ("AWS_ACCESS_KEY_ID", "without-secret"),
    ],
)
def test_a_malformed_value_is_refused_by_the_name_of_its_variable(home: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(home, **{name: value})
    stem = {"AWS_ACCESS_KEY_ID": "AWS_SECRET_ACCESS_KEY", "INGEST_OPENSEARCH_AUTH": "OPENSEARCH_USERNAME"}
    assert stem.get(name, name) in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_a_misspelt_variable_is_refused_with_the_nearest_name(home: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"INGEST_WORKER is not a setting.*did you mean INGEST_WORKERS"
    ):
        settings(home, INGEST_WORKER="2")


def test_table_keys_are_read_with_their_types() -> None:
    assert parse_table_keys("cities=name:S,lng:S; x=id ;y=n:N,b:B") == {
        "cities": KeySchema(parts=(("name", "S"), ("lng", "S"))),
        "x": KeySchema(parts=(("id", "S"),)),
        "y": KeySchema(parts=(("n", "N"), ("b", "B"))),
    }
    assert parse_key_schema("id,sort:N", "--key") == KeySchema(parts=(("id", "S"), ("sort", "N")))


def test_no_secret_shows_in_a_settings_text(home: Path) -> None:
    given = settings(
        home,
        AWS_ACCESS_KEY_ID="AKIA",
        AWS_SECRET_ACCESS_KEY="hunter-1",
        AWS_SESSION_TOKEN="hunter-2",
        OPENSEARCH_URL="https://me:hunter-3@localhost:9200",
        INGEST_LEDGER_URL="postgresql+psycopg2://me:hunter-4@localhost/ledger",
    )
    assert "hunter" not in repr(given)
    assert "hunter" not in str(given)


def test_settings_travel_to_worker_processes(home: Path) -> None:
    given = settings(home, INGEST_TABLE_KEYS="x=id", AWS_ENDPOINT_URL_S3="http://localhost:1")
    assert pickle.loads(pickle.dumps(given)) == given


def test_the_page_of_the_documentation_is_made_from_the_table() -> None:
    assert (PROJECT / "docs" / "configuration.md").read_text() == page()


def test_every_documented_variable_is_read_and_every_read_one_documented() -> None:
    readers = "\n".join(inspect.getsource(module) for module in READERS)
    lines = [line for line in readers.splitlines() if not line.startswith("from __future__")]
    source = ast.parse("\n".join(lines))
    words = [node.value for node in ast.walk(source) if isinstance(node, ast.Constant)]
    names = re.compile(r"(AWS|INGEST|OPENSEARCH|DAGSTER)_[A-Z0-9_]*[A-Z0-9]")
    read = {word for word in words if isinstance(word, str) and names.fullmatch(word)}
    of_the_tests = {variable.name for variable in VARIABLES if variable.group == "Tests"}
    assert read | of_the_tests == {variable.name for variable in VARIABLES}


def test_the_environment_of_this_process_is_read_by_one_function(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGEST_HOME", str(home))
    monkeypatch.setenv("INGEST_WORKERS", "3")
    assert deployments.load_settings().limits.workers == 3
    assert deployments.load_settings().home == home
    assert deployments.load_settings(home / "other").home == home / "other"
    assert deployments.load_settings(turned={"INGEST_WORKERS": "4"}).limits.workers == 4


def test_a_child_process_is_told_the_same_places_and_no_telemetry(home: Path) -> None:
    given = deployments.child_environment(settings(home), {"INGEST_WORKERS": "2"})
    assert (given["INGEST_HOME"], given["DAGSTER_HOME"]) == (str(home), str(home / "dagster"))
    assert (given["DAGSTER_DISABLE_TELEMETRY"], given["INGEST_WORKERS"]) == ("yes", "2")
    assert int(given["DAGSTER_EVENT_BATCH_SIZE"]) > 1


def test_settings_are_read_without_numpy_which_would_cost_every_process_20_mb() -> None:
    code = "import sys, ingest_project.api; sys.exit('numpy' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
