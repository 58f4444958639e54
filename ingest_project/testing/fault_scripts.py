"""What goes wrong, when: faults as values and scripts that say which request meets which fault.

Deterministic: a script depends on its arguments and the number of the request only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ERROR, ITEMS, RESET_BEFORE, RESET_AFTER, CUT, DAMAGED, SLOW = (
    "error",
    "items",
    "reset before",
    "reset after",
    "cut",
    "damaged",
    "slow",
)
STALLED, WRONG, SKEWED, EXPIRED = "stalled", "wrong", "skewed", "expired"
GONE, BACK, READ_ONLY, WRITABLE = "gone", "back", "read only", "writable"

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
"""What a proxy on the way says in place of the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong with one write request.

    Attributes:
        kind: One of the names above.
        status: HTTP status of an error; status of the named items.
        name: Error type (``ThrottlingException``, ``es_rejected_execution_exception``).
        message: The server's words.
        indices: Places of the items that the fault concerns; those beyond the request's end are ignored.
        target: Table or index that the fault concerns; with items: wherever they stand.
        retry_after: Value of the Retry-After header.
        retry_date: The same as a date, so many seconds ahead of the server's clock.
        seconds: How long a slow answer takes; how far a skewed clock is ahead.
        body: What an error says in place of the service's own form.
        after: The write took effect although an error is answered.
        over: Only a request whose body is larger than so many bytes meets the error; others pass.
    """

    kind: str
    status: int = 400
    name: str = ""
    message: str = "scripted"
    indices: tuple[int, ...] = ()
    target: str = ""
    retry_after: str = ""
    retry_date: float | None = None
    seconds: float = 0.0
    body: bytes | None = None
    after: bool = False
    over: int = 0


Script = Callable[[int], "Fault | None"]
"""Number of the write request (from 0) -> its fault."""


def error(
    name: str, *, status: int = 400, message: str = "scripted", retry_after: str = "", after: bool = False
) -> Fault:
    """An error answer; nothing is written, unless ``after``."""
    return Fault(kind=ERROR, name=name, status=status, message=message, retry_after=retry_after, after=after)


def too_large(over: int) -> Fault:
    """413 for a request of more than so many bytes; a smaller one passes."""
    return Fault(kind=ERROR, status=413, name="RequestEntityTooLarge", over=over)


def page(status: int, body: bytes = HTML) -> Fault:
    """An error that is not the service's own: HTML of a proxy, or nothing at all."""
    return Fault(kind=ERROR, status=status, body=body)


def unprocessed(*indices: int) -> Fault:
    """DynamoDB takes all items but these."""
    return Fault(kind=ITEMS, indices=indices)


def refused_items(status: int, name: str, *indices: int) -> Fault:
    """OpenSearch takes all items but these, which get an error of their own."""
    return Fault(kind=ITEMS, status=status, name=name, indices=indices)


def reset(*, after: bool) -> Fault:
    """The connection breaks before or after the write took effect; no answer comes."""
    return Fault(kind=RESET_AFTER if after else RESET_BEFORE)


def cut() -> Fault:
    """The write takes effect; its answer ends in the middle."""
    return Fault(kind=CUT)


def damaged(*indices: int) -> Fault:
    """The write takes effect; its answer's checksum is wrong.

    These items are not taken, and the damaged answer of DynamoDB says nothing of it: only the checksum does.
    """
    return Fault(kind=DAMAGED, indices=indices)


def slow(seconds: float) -> Fault:
    """The write takes effect and is answered after this time."""
    return Fault(kind=SLOW, seconds=seconds)


def stalled() -> Fault:
    """The write takes effect; its answer begins and never ends: the client has to give up."""
    return Fault(kind=STALLED)


def wrong(*indices: int) -> Fault:
    """The write takes effect; the answer is well-formed and does not fit: an item less, another table.

    These items are not taken, and what DynamoDB answers says nothing of them.
    """
    return Fault(kind=WRONG, indices=indices)


def skewed(seconds: float) -> Fault:
    """The service, whose clock is so far ahead, says that the signature is too old. Nothing is written."""
    return Fault(kind=SKEWED, seconds=seconds)


def expired() -> Fault:
    """The keys of this request have expired and are refused from now on; nothing is written."""
    return Fault(kind=EXPIRED)


def gone(target: str) -> Fault:
    """The table or index is not there any more, for this and every later request; what it held is kept."""
    return Fault(kind=GONE, target=target)


def back(target: str) -> Fault:
    """A table or index that was gone is there again."""
    return Fault(kind=BACK, target=target)


def read_only(target: str) -> Fault:
    """From now on nothing is written to this index (OpenSearch: its disk is too full); others are as ever."""
    return Fault(kind=READ_ONLY, target=target)


def writable(target: str) -> Fault:
    """The end of ``read_only``."""
    return Fault(kind=WRITABLE, target=target)


NAMED: dict[str, Fault] = {
    "throttling": error("ThrottlingException"),
    "throughput": error("ProvisionedThroughputExceededException"),
    "limit": error("RequestLimitExceeded"),
    "unprocessed": unprocessed(0, 2, 7, 11, 24),
    "item-429": refused_items(429, "es_rejected_execution_exception", 0, 2, 7, 11, 24),
    "item-503": refused_items(503, "unavailable_shards_exception", 1, 3),
    "429": error("too_many_requests", status=429),
    "retry-after": error("too_many_requests", status=429, retry_after="1"),
    "retry-date": Fault(kind=ERROR, name="too_many_requests", status=429, retry_date=2.0),
    "413": error("RequestEntityTooLarge", status=413),
    "500": error("InternalServerError", status=500),
    "500-after": error("InternalServerError", status=500, after=True),
    "503": error("ServiceUnavailable", status=503),
    "html": page(502),
    "empty": page(503, b""),
    "slow": slow(1.0),
    "stalled": stalled(),
    "cut": cut(),
    "reset-before": reset(after=False),
    "reset-after": reset(after=True),
    "damaged": damaged(),
    "wrong": wrong(),
    "skewed": skewed(3600.0),
    "expired": expired(),
}
"""Faults by the names that the command knows."""


def in_order(*faults: Fault | None) -> Script:
    """The first requests meet these faults, all later ones none."""
    return lambda number: faults[number] if number < len(faults) else None


def at_random(seed: int, faults: Sequence[Fault], share: float) -> Script:
    """Each request meets one of the faults with the probability ``share``."""

    def script(number: int) -> Fault | None:
        dice = random.Random(f"{seed}/{number}")
        return dice.choice(faults) if dice.random() < share else None

    return script


def between(first: int, last: int | None, fault: Fault) -> Script:
    """The requests from ``first`` up to, but not ``last`` (``None``: all later ones) meet this fault."""
    return lambda number: fault if number >= first and (last is None or number < last) else None


def layered(*scripts: Script) -> Script:
    """The first script that has a fault for a request says it."""

    def script(number: int) -> Fault | None:
        return next((fault for one in scripts if (fault := one(number)) is not None), None)

    return script
