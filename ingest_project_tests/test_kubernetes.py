"""deploy/kubernetes: the values have fields that Dagster's chart knows, a run's pod is what the page says.

The chart itself is not run here: its fields are written down by hand. Kubernetes' own fields are held against
the models of its Python client, the run's pod is made by dagster-k8s.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ingest_project.resources.deployments import Settings
from ingest_project_tests import helm

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / "deploy" / "kubernetes"
VALUES: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text())
ENVIRONMENT: dict[str, str] = yaml.safe_load((FOLDER / "environment.yaml").read_text())["data"]
CLUSTER: dict[str, Any] = yaml.safe_load((PROJECT / "deploy" / "cluster" / "dagster.yaml").read_text())
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
IMAGE = dict(re.findall(r"\b([A-Z][A-Z_]+)=(\S+)", DOCKERFILE))
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
PARTS = (
    VALUES["dagsterWebserver"],
    VALUES["dagsterDaemon"],
    *VALUES["dagster-user-deployments"]["deployments"],
)

TEXT, NUMBER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
ANY = {"type": "object"}
SOURCE = {"anyOf": [TEXT, {"type": "object", "required": ["env"], "maxProperties": 1}]}


def only(**fields: Any) -> dict[str, Any]:
    """An object with no other fields than these."""
    return {"type": "object", "properties": fields, "additionalProperties": False}


def some(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": 1}


SWITCH = only(enabled=FLAG)
POD = {
    "image": {**only(repository=TEXT, tag=TEXT, pullPolicy=TEXT), "required": ["repository", "tag"]},
    "envConfigMaps": some(only(name=TEXT)),
    "envSecrets": some(only(name=TEXT)),
    "volumes": some(ANY),
    "volumeMounts": some(ANY),
    **dict.fromkeys(("podSecurityContext", "securityContext", "resources", "readinessProbe"), ANY),
}
RUNS = only(
    imagePullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
    loadInclusterConfig=FLAG,
    failPodOnRunFailure=FLAG,
    runK8sConfig=only(podSpecConfig=ANY, jobSpecConfig=ANY),
    **{name: POD[name] for name in ("envConfigMaps", "envSecrets", "volumes", "volumeMounts", "resources")},
    securityContext=ANY,
)
LOGS = only(bucket=SOURCE, prefix=SOURCE, localDir=SOURCE, skipEmptyFiles=FLAG, uploadInterval=NUMBER)
CHART = only(
    **{
        "global": only(
            postgresqlSecretName=TEXT, dagsterHome=TEXT, serviceAccountName=TEXT, celeryConfigSecretName=TEXT
        ),
        "dagster-user-deployments": only(
            enabled=FLAG,
            enableSubchart=FLAG,
            deployments=some(
                only(
                    name=TEXT,
                    port=NUMBER,
                    dagsterApiGrpcArgs=some(TEXT),
                    includeConfigInLaunchedRuns=SWITCH,
                    **POD,
                )
            ),
        ),
    },
    generatePostgresqlPasswordSecret=FLAG,
    generateCeleryConfigSecret=FLAG,
    rbacEnabled=FLAG,
    dagsterWebserver=only(replicaCount=NUMBER, service=only(type=TEXT, port=NUMBER), **POD),
    dagsterDaemon=only(
        enabled=FLAG,
        heartbeatTolerance=NUMBER,
        livenessProbe=ANY,
        **dict.fromkeys(("runCoordinator", "runMonitoring", "runRetries"), SWITCH),
        **dict.fromkeys(("sensors", "schedules"), only(useThreads=FLAG)),
        **POD,
    ),
    runLauncher=only(type={"const": "K8sRunLauncher"}, config=only(k8sRunLauncher=RUNS)),
    postgresql=only(
        enabled=FLAG,
        postgresqlHost=TEXT,
        postgresqlUsername=TEXT,
        postgresqlDatabase=TEXT,
        postgresqlScheme=TEXT,
        service=only(port=NUMBER),
    ),
    computeLogManager=only(type={"const": "S3ComputeLogManager"}, config=only(s3ComputeLogManager=LOGS)),
    additionalInstanceConfig=ANY,
    **dict.fromkeys(("rabbitmq", "redis", "flower", "ingress", "telemetry"), SWITCH),
)


def test_the_values_have_only_fields_that_the_chart_knows() -> None:
    assert [] == [error.message for error in Draft202012Validator(CHART).iter_errors(VALUES)]


def test_the_instance_is_that_of_a_cluster_but_for_its_launcher_and_the_wait_for_a_node() -> None:
    given = {name: dict(value) for name, value in VALUES["additionalInstanceConfig"].items()}
    assert 3600 == given["run_monitoring"].pop("start_timeout_seconds")
    wanted = {name: dict(value) for name, value in CLUSTER.items()}
    del wanted["run_monitoring"]["start_timeout_seconds"]
    by_the_chart = {"storage", "compute_logs", "run_launcher", "telemetry"}
    assert {name: wanted[name] for name in wanted.keys() - by_the_chart} == given
    logs = VALUES["computeLogManager"]["config"]["s3ComputeLogManager"]
    assert CLUSTER["compute_logs"]["config"] == helm.snake(logs)


def test_what_the_chart_would_write_itself_is_switched_off() -> None:
    daemon = VALUES["dagsterDaemon"]
    assert [False] * 3 == [
        daemon[name]["enabled"] for name in ("runCoordinator", "runMonitoring", "runRetries")
    ]
    assert [False] * 2 == [daemon[name]["useThreads"] for name in ("sensors", "schedules")]


def test_the_environment_is_one_that_the_project_understands_and_has_no_secrets(tmp_path: Path) -> None:
    settings = Settings.from_env({**ENVIRONMENT, "INGEST_HOME": str(tmp_path)})
    settings.require_write("s3", settings.bucket)
    settings.require_write("dynamodb", "any-table")
    settings.require_write("opensearch", "any-index")
    wanted = set(re.findall(r"env': '(\w+)", repr(VALUES)))
    assert wanted <= ENVIRONMENT.keys() | IMAGE.keys()
    written = (FOLDER / "values.yaml").read_text() + (FOLDER / "environment.yaml").read_text()
    assert [] == re.findall(r"(?i)(?:password|secret_access_key|token): *\S+", written)


def test_a_run_may_have_its_memory_budget_and_half_as_much_again() -> None:
    budget = int(ENVIRONMENT["INGEST_MEMORY_BUDGET_MB"])
    resources = LAUNCHER["resources"]
    assert f"{budget}Mi" == resources["requests"]["memory"]
    assert f"{budget * 3 // 2}Mi" == resources["limits"]["memory"]


def test_as_many_runs_load_at_once_as_are_launched() -> None:
    launched = VALUES["additionalInstanceConfig"]["concurrency"]["runs"]["max_concurrent_runs"]
    assert launched == int(ENVIRONMENT["INGEST_FILES_AT_ONCE"])


def test_all_containers_have_the_image_s_user_no_writable_root_and_room_where_the_image_writes() -> None:
    user = int(re.findall(r"^USER (\d+)", DOCKERFILE, re.MULTILINE)[0])
    runs = {**LAUNCHER, "podSecurityContext": LAUNCHER["runK8sConfig"]["podSpecConfig"]["securityContext"]}
    for part in (*PARTS, runs):
        assert (True, user) == tuple(
            part["podSecurityContext"][name] for name in ("runAsNonRoot", "runAsUser")
        )
        assert part["securityContext"]["readOnlyRootFilesystem"]
        assert {"/tmp", IMAGE["INGEST_HOME"], IMAGE["DAGSTER_LOCAL_STORAGE"]} == {
            mount["mountPath"] for mount in part["volumeMounts"]
        }
    assert IMAGE["DAGSTER_HOME"] == VALUES["global"]["dagsterHome"]


KUBECONFIG = {
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "users": [{"name": "none", "user": {}}],
    "current-context": "none",
}
"""No cluster: a launcher wants to know one before it makes a pod, and asks it nothing for that."""


@pytest.fixture
def pod(tmp_path: Path) -> dict[str, Any]:
    """A run's Job as dagster-k8s makes it when the chart has written these values into dagster.yaml."""
    from dagster import DagsterRun
    from dagster._config import process_config
    from dagster_k8s import K8sRunLauncher
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import construct_dagster_k8s_job
    from kubernetes.client import ApiClient

    (tmp_path / "config").write_text(yaml.safe_dump(KUBECONFIG))
    reached = {"load_incluster_config": False, "kubeconfig_file": str(tmp_path / "config")}
    written = {**helm.run_launcher(VALUES), **reached}
    read = process_config(K8sRunLauncher.config_type(), written)
    assert read.success, read.errors
    launcher = K8sRunLauncher.from_config_value(None, read.value)
    run = DagsterRun(job_name="messages_load", run_id="run")
    context = K8sContainerContext.create_for_run(run, launcher, include_run_tags=True)
    config = context.get_k8s_job_config("registry.example.org/ingest-project:0.1.0", launcher)
    job = construct_dagster_k8s_job(config, ["dagster", "api", "execute_run"], "run", context.run_k8s_config)
    found: dict[str, Any] = ApiClient().sanitize_for_serialization(job)
    return found


@pytest.mark.dagster
def test_a_run_is_a_pod_that_kubernetes_does_not_start_again(pod: dict[str, Any]) -> None:
    spec = pod["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert (0, "Never") == (pod["spec"]["backoffLimit"], spec["restartPolicy"])
    assert LAUNCHER["resources"] == container["resources"]
    assert LAUNCHER["securityContext"] == container["securityContext"]
    assert LAUNCHER["runK8sConfig"]["podSpecConfig"]["securityContext"] == spec["securityContext"]
    assert {"ingest-environment"} == {
        one["configMapRef"]["name"] for one in container["envFrom"] if "configMapRef" in one
    }
    assert {"ingest-secrets"} == {
        one["secretRef"]["name"] for one in container["envFrom"] if "secretRef" in one
    }
    password = next(one for one in container["env"] if one["name"] == "DAGSTER_PG_PASSWORD")
    assert "ingest-postgresql" == password["valueFrom"]["secretKeyRef"]["name"]
    assert [30, 30] == [one["tolerationSeconds"] for one in spec["tolerations"]]


@pytest.mark.dagster
def test_kubernetes_knows_every_field_of_the_parts() -> None:
    from dagster_k8s.models import k8s_model_from_dict, k8s_snake_case_dict
    from kubernetes import client

    kinds = {
        "podSecurityContext": client.V1PodSecurityContext,
        "securityContext": client.V1SecurityContext,
        "resources": client.V1ResourceRequirements,
        "livenessProbe": client.V1Probe,
        "readinessProbe": client.V1Probe,
    }
    lists = {"volumes": client.V1Volume, "volumeMounts": client.V1VolumeMount}
    for part in (*PARTS, LAUNCHER):
        given = [(kinds[name], part[name]) for name in kinds.keys() & part.keys()]
        given += [(lists[name], one) for name in lists for one in part[name]]
        for kind, fields in given:
            known = {name: value for name, value in fields.items() if name != "enabled"}
            assert k8s_model_from_dict(kind, k8s_snake_case_dict(kind, known)).to_dict()
