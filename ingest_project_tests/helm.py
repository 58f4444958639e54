"""What Dagster's Helm chart writes into dagster.yaml from values like deploy/kubernetes/values.yaml.

Written down by hand from the chart's templates, as far as our values use them; tests hand it to Dagster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

STORAGES = {
    "run_storage": ("dagster_postgres.run_storage", "PostgresRunStorage"),
    "event_log_storage": ("dagster_postgres.event_log", "PostgresEventLogStorage"),
    "schedule_storage": ("dagster_postgres.schedule_storage", "PostgresScheduleStorage"),
}


def snake(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The same with names as Dagster spells them."""
    return {re.sub("(?=[A-Z])", "_", name).lower(): value for name, value in fields.items()}


def run_launcher(values: Mapping[str, Any], release: str = "ingest") -> dict[str, Any]:
    """The configuration of K8sRunLauncher; the namespace is named after the release."""
    given = values["runLauncher"]["config"]["k8sRunLauncher"]
    names = {
        name: [one["name"] for one in given[name]]
        for name in ("envConfigMaps", "envSecrets")
        if given.get(name)
    }
    own = {"runK8sConfig": snake(given["runK8sConfig"])} if "runK8sConfig" in given else {}
    known = {
        "jobNamespace": release,
        "serviceAccountName": release,
        "dagsterHome": values["global"]["dagsterHome"],
        "instanceConfigMap": f"{release}-instance",
        "postgresPasswordSecret": values["global"]["postgresqlSecretName"],
    }
    return snake({**given, **names, **own, **known})


def instance_file(values: Mapping[str, Any]) -> dict[str, Any]:
    """dagster.yaml of all parts."""
    database = values["postgresql"]
    postgres = {
        "username": database["postgresqlUsername"],
        "password": {"env": "DAGSTER_PG_PASSWORD"},
        "hostname": database["postgresqlHost"],
        "db_name": database["postgresqlDatabase"],
        "port": database["service"]["port"],
        "params": {},
        "scheme": database["postgresqlScheme"],
    }
    stores = {
        name: {"module": module, "class": kind, "config": {"postgres_db": postgres}}
        for name, (module, kind) in STORAGES.items()
    }
    logs = values["computeLogManager"]["config"]["s3ComputeLogManager"]
    return {
        **stores,
        "scheduler": {"module": "dagster.core.scheduler", "class": "DagsterDaemonScheduler"},
        "run_launcher": {
            "module": "dagster_k8s",
            "class": "K8sRunLauncher",
            "config": run_launcher(values),
        },
        "compute_logs": {
            "module": "dagster_aws.s3.compute_log_manager",
            "class": "S3ComputeLogManager",
            "config": {**snake(logs), "verify": True},
        },
        "telemetry": values["telemetry"],
        **values["additionalInstanceConfig"],
    }
