"""What a worker of a cluster serves: the Celery app of the instance's launcher, with the one task that is a
run. `ingest worker` calls it.
"""

import os
from collections.abc import Sequence
from typing import Any

import dagster as dg
from celery.signals import worker_process_init
from dagster_celery.tasks import create_execute_job_task

from ingest_project.core.errors import ConfigurationError
from ingest_project.orchestration.celery_runs import WatchedCeleryRunLauncher
from ingest_project.resources.process import end_with_parent


def serve(arguments: Sequence[str]) -> None:
    """Take runs until this process is stopped; ``arguments`` are those of Celery's worker.

    Raises:
        ConfigurationError: The instance of DAGSTER_HOME has another launcher.
    """
    with dg.DagsterInstance.get() as instance:
        launcher = instance.run_launcher
        if not isinstance(launcher, WatchedCeleryRunLauncher):
            raise ConfigurationError(
                f"{type(launcher).__name__} carries the runs of this instance: "
                "point DAGSTER_HOME at an instance like deploy/cluster"
            )
        app = launcher.celery
    worker = os.getpid()

    def tie(**_: Any) -> None:
        """A run does not go on behind its worker's back: nobody would know of it."""
        end_with_parent(worker)

    create_execute_job_task(app)
    worker_process_init.connect(tie, weak=False)
    app.worker_main(["worker", *arguments])
