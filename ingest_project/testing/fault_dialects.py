"""What the fault server must know of a protocol: which calls write, what items they have, how it says no.

The protocols themselves: fault_dynamodb, fault_opensearch, fault_http.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ingest_project.testing.fault_messages import Call, Reply
from ingest_project.testing.fault_scripts import Fault

EXPIRED, FORGED, SKEWED, UNKNOWN = "expired", "forged", "skewed", "unknown"
"""Why a service refuses who asks."""


class Entry(NamedTuple):
    """One item of a write.

    Attributes:
        target: Table or index.
        size: Bytes as the service counts them.
    """

    target: str
    size: int


class Write(Protocol):
    """One write request, taken apart."""

    @property
    def entries(self) -> Sequence[Entry]: ...

    def without(self, out: Mapping[int, Fault]) -> Call | None:
        """The request without the items at these places; ``None`` when nothing is left to ask for."""
        ...

    def merged(self, reply: Reply | None, out: Mapping[int, Fault]) -> Reply:
        """The answer to the whole request, from that to the rest and what each left out item met."""
        ...


class Dialect(Protocol):
    """One protocol.

    Attributes:
        item_errors: An answer says of each item what became of it, whatever it was.
        whole_throttle: When no item fits into a quota, the request as a whole is an error.
    """

    item_errors: bool
    whole_throttle: bool

    def writes(self, call: Call) -> bool:
        """Does a script count it, unless told otherwise?"""
        ...

    def targets(self, call: Call) -> set[str]:
        """Tables, indices or buckets that it names."""
        ...

    def error(self, fault: Fault) -> Reply:
        """An error in the service's own form."""
        ...

    def take_apart(self, call: Call) -> Write | None:
        """The items of a write; ``None`` when it has none that can be told apart."""
        ...

    def throttle(self) -> Fault:
        """What the service says when a quota is used up; also what single items meet."""
        ...

    def missing(self, target: str) -> Fault:
        """What it says of a table, index or bucket that is not there."""
        ...

    def blocked(self, target: str) -> Fault:
        """What it says of one that takes no writes."""
        ...

    def denial(self, why: str, message: str) -> Fault:
        """What it says to one whom it does not let in; ``why``: one of the names above."""
        ...

    def damaged(self, reply: Reply) -> Reply:
        """An answer that suffered on its way."""
        ...

    def wrong(self, reply: Reply) -> Reply:
        """A well-formed answer that does not fit the request."""
        ...
