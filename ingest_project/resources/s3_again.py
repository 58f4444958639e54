"""Which requests to S3 are sent again, and when: botocore asks, core.retrying's policy says.

All but one may take effect twice without harm: keys decide what they write. What breaks off while a body is
read has left botocore's hands; its caller starts again.
"""

from __future__ import annotations

from random import Random
from typing import Any

from ingest_project.core.retrying import RetryPolicy

AGAIN = RetryPolicy(base=0.2, cap=8.0, attempts=8)
"""Half a minute at most: a lease is longer."""

ONCE = frozenset({"CompleteMultipartUpload"})
"""Sent again after it took effect, it is told that there is no such upload."""

_THROTTLES = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"})


class SendAgain:
    """botocore's ``needs-retry``: seconds to wait, or None for whoever is asked next."""

    def __init__(self, policy: RetryPolicy = AGAIN, rng: Random | None = None) -> None:
        self._policy, self._rng = policy, rng or Random()

    def __call__(
        self,
        attempts: int,
        operation: Any = None,
        response: Any = None,
        caught_exception: Exception | None = None,
        **_: Any,
    ) -> float | None:
        if not _passes(operation, response, caught_exception):
            return None
        return self._policy.delay(attempts, self._rng, _advice(response))


def _passes(operation: Any, response: Any, error: Exception | None) -> bool:
    """Whether the trouble is the service's and may be over soon."""
    from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

    if error is not None or response is None:
        told = getattr(operation, "name", "") not in ONCE
        return told and isinstance(error, ConnectionClosedError | ReadTimeoutError)
    answer, parsed = response
    refused = answer.status_code in (429, 503) or parsed.get("Error", {}).get("Code") in _THROTTLES
    return refused or (answer.status_code >= 500 and getattr(operation, "name", "") not in ONCE)


def _advice(response: Any) -> float | None:
    """Seconds that the service asked to wait, where it says so in seconds."""
    word = response[0].headers.get("Retry-After", "") if response else ""
    return float(word) if word.isascii() and word.isdigit() else None
