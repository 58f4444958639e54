"""Refusals of the simulated API, in its own form: reference, code, message, details.

No HTTP; the reference is a number that only grows, so that two runs say the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from ingest_project.testing.fault_messages import Reply, json_reply

VALIDATION, NOT_FOUND, UNAUTHORIZED, FORBIDDEN = "VALIDATION_ERROR", "NOT_FOUND", "UNAUTHORIZED", "FORBIDDEN"
NOT_ALLOWED, TOO_MANY, SERVER = "METHOD_NOT_ALLOWED", "TOO_MANY_REQUESTS", "SERVER_ERROR"

CODES = {400: VALIDATION, 401: UNAUTHORIZED, 403: FORBIDDEN, 404: NOT_FOUND, 405: NOT_ALLOWED, 429: TOO_MANY}


class Refused(Exception):
    """The API answers with an error.

    Args:
        details: Name of a field or parameter -> what is wrong with it.
    """

    def __init__(self, status: int, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.details = status, message, dict(details or {})


def invalid(name: str, said: str) -> Refused:
    """A parameter that the API does not take."""
    return Refused(400, "Invalid request parameters", {name: [said]})


def refusal(
    status: int, message: str, details: Mapping[str, object] | None = None, *, number: int = 0
) -> Reply:
    """The answer."""
    said = {
        "reference": str(uuid.UUID(int=(status << 96) + number)),
        "code": CODES.get(status, SERVER),
        "message": message,
        "details": dict(details or {}),
    }
    return json_reply(status, said)
