"""Runs on several hosts: dagster-celery's launcher with queues by weight and a health check that notices a
lost worker. Nothing is scheduled or retried here: Dagster's queue and its run monitoring do that.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from celery import Celery
from dagster import DagsterRun, Field, StringSource
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import MAX_RETRIES_TAG
from dagster._serdes import ConfigurableClassData
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG
from kombu import Exchange, Queue

from ingest_project.orchestration.pool import LARGE, PRIORITY_TAG, QUEUES

CELERY: Mapping[str, Any] = {
    # A worker takes a run when it has a process for it: none waits behind a long one while a host is idle.
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    # A process a run: its memory goes with it. It is forked from a worker that has everything imported.
    "worker_max_tasks_per_child": 1,
    # Dagster captures what a run prints, and logs by itself.
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": {"max_retries": 3, "interval_start": 0, "interval_step": 0.2},
    "result_backend_transport_options": {"retry_policy": {"timeout": 5.0}},
    "result_expires": 172_800,
}
"""Celery's settings, the same for those who send runs and those who take them."""

MISSES = 2
"""Looks in a row at which nobody has a run, before it is given up: one may fall into a network's pause."""

ANSWER_SECONDS = 3.0
SILENCE_SECONDS = 8.0
"""For so long a worker that did not answer counts as silent: less than from one look at a run to the next."""

MOST_MISSED = 1000

LOST_TAG = "ingest/lost_workers"
"""How many workers a run and the attempts before it have lost."""

NEXT = "100"
"""A priority above all that the sensors give."""

MOST_LOST = 20
"""Lost workers that do not count among a run's retries; more than that may be the run's own doing."""


class WatchedCeleryRunLauncher(CeleryRunLauncher):
    """A run is a Celery task of the run's own id, in the queue that its tag names.

    The stock launcher believes what was said of a task last: the runs of a host that is gone stay STARTED
    until their longest time is over. This one asks the worker whether it still has the task.
    """

    answer_seconds = ANSWER_SECONDS

    def __init__(
        self, broker: str, default_queue: str, inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__(
            default_queue=default_queue,
            broker=broker,
            backend=broker,
            config_source=dict(CELERY),
            inst_data=inst_data,
        )
        runs = Exchange("runs", type="topic")
        # A launch is addressed to "<queue>.<kind of task>".
        self.celery.conf.task_queues = [Queue(name, runs, routing_key=f"{name}.#") for name in QUEUES]
        self._missed: OrderedDict[str, int] = OrderedDict()
        self._silent: dict[str, float] = {}

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """What dagster.yaml says: ``broker``, a Redis URL, where results are kept as well, and the queue of
        runs without a tag."""
        return {
            "broker": Field(StringSource),
            "default_queue": Field(StringSource, is_required=False, default_value=LARGE),
        }

    @property
    def supports_resume_run(self) -> bool:
        """A run is repeated as a run of its own: what was sealed is not sent again."""
        return False

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether somebody works on the run; asked of runs that have started and have not ended.

        A run's end is stored before its task's, and monitoring reads the run again before it believes a bad
        answer: a task that has ended with its run open has died within.
        """
        task = self.celery.AsyncResult(run.run_id)
        if task.ready():
            return self._lost(run.run_id, f"its task ended ({task.state}) and the run did not")
        info = task.info if isinstance(task.info, Mapping) else {}
        worker = info.get("hostname")
        if self._has(worker, run.run_id):
            self._missed.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=worker)
        missed = self._missed.pop(run.run_id, 0) + 1
        if missed >= MISSES:
            self.excuse(run)
            return self._lost(
                run.run_id, f"worker {worker or '(unknown)'} does not have it, asked {missed} times"
            )
        self._missed[run.run_id] = missed
        while len(self._missed) > MOST_MISSED:
            self._missed.popitem(last=False)
        return CheckRunHealthResult(WorkerStatus.RUNNING, "no answer yet", run_worker_id=worker)

    def nowhere(self, run_ids: Sequence[str]) -> set[str]:
        """Those among runs that were sent which neither a queue nor a worker has."""
        # Queues first: a run goes from them to a worker, and never back.
        waiting = self._waiting()
        inspect = self.celery.control.inspect(timeout=self.answer_seconds)
        answers = (inspect.query_task(*run_ids) or {}) if run_ids else {}
        return set(run_ids).difference(waiting, *answers.values())

    def excuse(self, run: DagsterRun) -> None:
        """The loss of a worker does not count among the run's retries: these are for what it does itself.

        What repeats it inherits the tags, and is the next to leave Dagster's queue: it holds chunks already.
        """
        lost = int(run.tags.get(LOST_TAG, "0")) + 1
        if lost <= MOST_LOST:
            most = self._instance.run_retries_max_retries + lost
            tags = {LOST_TAG: str(lost), MAX_RETRIES_TAG: str(most), PRIORITY_TAG: NEXT}
            self._instance.add_run_tags(run.run_id, tags)

    def _has(self, worker: str | None, run_id: str) -> bool:
        """Whether the worker says that it has the run; one that was silent is not asked again at once.

        A lost host may have had many runs, and each question to it costs ``answer_seconds``.
        """
        now = time.monotonic()
        self._silent = {name: until for name, until in self._silent.items() if until > now}
        if worker in self._silent:
            return False
        # Without a word of it (the broker has lost its memory) everybody is asked.
        inspect = self.celery.control.inspect(
            destination=[worker] if worker else None, timeout=self.answer_seconds
        )
        answers = inspect.query_task(run_id) or {}
        if worker and not answers:
            self._silent[worker] = now + SILENCE_SECONDS
        return any(run_id in tasks for tasks in answers.values())

    def get_run_worker_debug_info(
        self, run: DagsterRun, include_container_logs: bool | None = True
    ) -> str | None:
        """What is known of the task, in words."""
        task = self.celery.AsyncResult(run.run_id)
        return f"task {run.run_id}: {task.state}, {task.info}"

    def _waiting(self) -> set[str]:
        """Ids of the runs that lie in the broker's queues."""
        with self.celery.connection_for_read() as connection:
            client = connection.default_channel.client
            return {json.loads(one)["headers"]["id"] for name in QUEUES for one in client.lrange(name, 0, -1)}

    def _lost(self, run_id: str, why: str) -> CheckRunHealthResult:
        self._missed.pop(run_id, None)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"The run's worker is lost: {why}")

    def _launch_celery_task_run(self, run: DagsterRun, task_signature: Celery.Task, routing_key: str) -> None:
        """The task's id is told before it is sent: a worker may be quicker than the sender."""
        self._instance.add_run_tags(run.run_id, {DAGSTER_CELERY_TASK_ID_TAG: run.run_id})
        super()._launch_celery_task_run(run, task_signature.set(task_id=run.run_id), routing_key)
