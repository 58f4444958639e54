"""The simulated API as the fault server's engine sees it: its own form of errors, damaged answers."""

from __future__ import annotations

from ingest_project.testing.fault_http import PlainHttp
from ingest_project.testing.fault_messages import Call, Reply
from ingest_project.testing.fault_scripts import Fault, error
from ingest_project.testing.wms_errors import refusal

MESSAGES = {
    429: "Request was throttled.",
    500: "An unexpected error occurred.",
    502: "Bad gateway.",
    503: "The service is temporarily unavailable.",
    504: "The request took too long.",
}


class Lgf(PlainHttp):
    """fault_dialects.Dialect of lgfapi."""

    def writes(self, call: Call) -> bool:
        """What scripts and quotas count: every request to the API, none for a token."""
        return "lgfapi" in call.path

    def error(self, fault: Fault) -> Reply:
        said = fault.message if fault.message != "scripted" else MESSAGES.get(fault.status, "scripted")
        return refusal(fault.status, said)

    def throttle(self) -> Fault:
        return error("TOO_MANY_REQUESTS", status=429)

    def damaged(self, reply: Reply) -> Reply:
        """JSON that ends in the middle, under a length that fits."""
        return reply.plain()._replace(body=reply.body[: len(reply.body) // 2])
