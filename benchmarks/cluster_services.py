"""The servers of a cluster on hosts of one machine, and the environment in which its processes find them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest_project import local
from ingest_project.local.ports import LOOPBACK
from ingest_project.local.postgresql import THROW_AWAY, ensure_database
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.local.state import Stack
from ingest_project.resources.deployments import project_folder
from ingest_project.testing.hosts import Hosts

SERVICES = ("s3", "postgresql", "redis")


def listening(hosts: Hosts, folder: Path) -> dict[str, dict[str, str]]:
    """Settings with which the services are heard on the bridge as well; there is no other network here."""
    hba = folder / "pg_hba.conf"
    lines = [f"host all all {network} trust" for network in (f"{LOOPBACK}/32", hosts.network)]
    hba.write_text("\n".join(lines) + "\n")
    hba.chmod(0o644)
    return {
        "s3": {"ip.bind": "0.0.0.0"},
        "redis": {"bind": f"{LOOPBACK} {hosts.address}", "protected-mode": "no"},
        "postgresql": {
            **THROW_AWAY,
            "listen_addresses": f"{LOOPBACK},{hosts.address}",
            "hba_file": str(hba),
            "max_connections": "200",
            # A host that is cut off in a transaction of Dagster's holds its locks no longer than this.
            "idle_in_transaction_session_timeout": "15s",
        },
    }


@contextmanager
def services(hosts: Hosts, home: Path) -> Iterator[Stack]:
    """PostgreSQL, Redis and SeaweedFS on the control host; their state lies below ``home/services``."""
    folder = home / "services"
    folder.mkdir()
    try:
        yield local.up(
            folder,
            names=SERVICES,
            settings=listening(hosts, folder),
            usual_ports=False,
            tied=True,
            timeout=120,
        )
    finally:
        local.down(folder, grace=1.0)


def variables(hosts: Hosts, stack: Stack, target: str) -> dict[str, str]:
    """The deployment's environment, the same on every host.

    Args:
        target: URL of what stands for DynamoDB, on the bridge.
    """

    def seen(url: str) -> str:
        return url.replace(LOOPBACK, hosts.address)

    s3 = seen(stack.servers["s3"].endpoint)
    ledger, storage = (
        seen(ensure_database(stack.servers["postgresql"].endpoint, name)).replace(
            "postgresql:", "postgresql+psycopg2:"
        )
        for name in ("ledger", "storage")
    )
    place = target.removeprefix("http://")
    return {
        "AWS_ENDPOINT_URL_S3": s3,
        "AWS_ENDPOINT_URL_DYNAMODB": target,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "INGEST_BUCKET": stack.bucket,
        "INGEST_ALLOW_REMOTE_WRITES": f"s3:{s3.removeprefix('http://')}/{stack.bucket},dynamodb:{place}/*",
        "INGEST_LEDGER_URL": ledger,
        "INGEST_BROKER_URL": seen(stack.servers["redis"].endpoint),
        "DAGSTER_POSTGRES_URL": storage,
        "NO_PROXY": f"localhost,{LOOPBACK},{hosts.address}",
    }


def places(folder: Path, most_runs: int) -> dict[str, str]:
    """A host's own folders, with its copy of the instance's file."""
    instance = folder / "dagster"
    instance.mkdir(parents=True, exist_ok=True)
    text = (project_folder() / "deploy" / "cluster" / "dagster.yaml").read_text()
    known = re.sub(r"max_concurrent_runs: \d+", f"max_concurrent_runs: {most_runs}", text)
    (instance / "dagster.yaml").write_text(known)
    return {
        "INGEST_HOME": str(folder),
        "DAGSTER_HOME": str(instance),
        "DAGSTER_LOCAL_STORAGE": str(folder / "storage"),
    }
