"""Whether a run has come to its end for good, or Dagster will repeat it. Only looks."""

import dagster as dg

_WILL_RETRY = "dagster/will_retry"


def is_over(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """True when the run has ended and no attempt will follow it.

    Dagster first tells of a failure and then, a moment later, whether it will try again: where it does try
    again at all, a failure without that word is not decided yet. Taken for the end, it would have the same
    work asked for twice.
    """
    if not run.is_finished or run.tags.get(_WILL_RETRY) == "true":
        return False
    undecided = run.status == dg.DagsterRunStatus.FAILURE and _WILL_RETRY not in run.tags
    return not (undecided and instance.run_retries_enabled)
