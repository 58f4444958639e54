"""S3 and any other HTTP service, as far as the fault server must know them: they have no items."""

from __future__ import annotations

from xml.sax.saxutils import escape

from ingest_project.testing.fault_dialects import EXPIRED, FORGED, SKEWED, UNKNOWN
from ingest_project.testing.fault_messages import Call, Reply, json_reply
from ingest_project.testing.fault_scripts import Fault, error

DENIALS = {
    EXPIRED: ("ExpiredToken", 400),
    FORGED: ("SignatureDoesNotMatch", 403),
    SKEWED: ("RequestTimeTooSkewed", 403),
    UNKNOWN: ("InvalidAccessKeyId", 403),
}


class S3:
    """fault_dialects.Dialect, path style."""

    item_errors = False
    whole_throttle = True

    def writes(self, call: Call) -> bool:
        return call.method in ("PUT", "POST")

    def targets(self, call: Call) -> set[str]:
        return set(call.path[:1])

    def error(self, fault: Fault) -> Reply:
        said = f"<Code>{escape(fault.name)}</Code><Message>{escape(fault.message)}</Message>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{said}</Error>'.encode()
        return Reply(fault.status, body, (("Content-Type", "application/xml"),))

    def take_apart(self, call: Call) -> None:
        return None

    def throttle(self) -> Fault:
        return error("SlowDown", status=503, message="Please reduce your request rate.")

    def missing(self, target: str) -> Fault:
        return error("NoSuchBucket", status=404, message="The specified bucket does not exist")

    def blocked(self, target: str) -> Fault:
        return error("AccessDenied", status=403, message=f"Bucket {target} takes no writes now")

    def denial(self, why: str, message: str) -> Fault:
        name, status = DENIALS[why]
        return error(name, status=status, message=message)

    def damaged(self, reply: Reply) -> Reply:
        return reply.having({"x-amz-checksum-crc32": "AAAAAA=="})

    def wrong(self, reply: Reply) -> Reply:
        """Another object's checksum."""
        return reply.having({"ETag": '"00000000000000000000000000000000"'})


class PlainHttp:
    """fault_dialects.Dialect of a service of which nothing is known: every request counts."""

    item_errors = False
    whole_throttle = True

    def writes(self, call: Call) -> bool:
        return True

    def targets(self, call: Call) -> set[str]:
        return set(call.path[:1])

    def error(self, fault: Fault) -> Reply:
        return json_reply(fault.status, {"error": fault.name, "message": fault.message})

    def take_apart(self, call: Call) -> None:
        return None

    def throttle(self) -> Fault:
        return error("too_many_requests", status=429, message="Too many requests")

    def missing(self, target: str) -> Fault:
        return error("not_found", status=404, message=f"{target} was not found")

    def blocked(self, target: str) -> Fault:
        return error("forbidden", status=403, message=f"{target} takes no writes now")

    def denial(self, why: str, message: str) -> Fault:
        return error(why, status=401, message=message)

    def damaged(self, reply: Reply) -> Reply:
        return reply._replace(body=b"\0" + reply.body[1:])

    def wrong(self, reply: Reply) -> Reply:
        """No content where there was some."""
        return reply.plain()._replace(body=b"{}")
