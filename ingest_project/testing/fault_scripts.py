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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong with one write request.

    Attributes:
        kind: One of the names above.
        status: HTTP status of an error; status of the named items.
        name: Error type (``ThrottlingException``, ``es_rejected_execution_exception``).
        message: The server's words.
        indices: Places of the items that the fault concerns; those beyond the request's end are ignored.
        retry_after: Value of the Retry-After header.
        seconds: How long a slow answer takes.
    """

    kind: str
    status: int = 400
    name: str = ""
    message: str = "scripted"
    indices: tuple[int, ...] = ()
    retry_after: str = ""
    seconds: float = 0.0


Script = Callable[[int], "Fault | None"]
"""Number of the write request (from 0) -> its fault."""


def error(name: str, *, status: int = 400, message: str = "scripted", retry_after: str = "") -> Fault:
    """An error answer; nothing is written."""
    return Fault(kind=ERROR, name=name, status=status, message=message, retry_after=retry_after)


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


def damaged() -> Fault:
    """The write takes effect; its answer's checksum is wrong."""
    return Fault(kind=DAMAGED)


def slow(seconds: float) -> Fault:
    """The write takes effect and is answered after this time."""
    return Fault(kind=SLOW, seconds=seconds)


def in_order(*faults: Fault | None) -> Script:
    """The first requests meet these faults, all later ones none."""
    return lambda number: faults[number] if number < len(faults) else None


def at_random(seed: int, faults: Sequence[Fault], share: float) -> Script:
    """Each request meets one of the faults with the probability ``share``."""

    def script(number: int) -> Fault | None:
        dice = random.Random(f"{seed}/{number}")
        return dice.choice(faults) if dice.random() < share else None

    return script
