"""What stays wrong from one request to the next: tables that are gone, indices without writes, expired keys.

Decides only; the server asks for every request.
"""

from __future__ import annotations

from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.fault_dialects import EXPIRED, Dialect, Write
from ingest_project.testing.fault_messages import Call
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_signatures import signer_of


class Standing:
    """What the faults so far have left behind.

    Attributes:
        gone: Tables, indices and buckets that are said not to exist.
        blocked: Those that take no writes.
        expired: Keys that are refused, as (access key, session token).
    """

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.blocked: set[str] = set()
        self.expired: set[tuple[str, str]] = set()

    def turn(self, fault: Fault, call: Call) -> None:
        """Follow a fault that lasts."""
        if fault.kind == scripts.GONE:
            self.gone.add(fault.target)
        elif fault.kind == scripts.BACK:
            self.gone.discard(fault.target)
        elif fault.kind == scripts.READ_ONLY:
            self.blocked.add(fault.target)
        elif fault.kind == scripts.WRITABLE:
            self.blocked.discard(fault.target)
        elif fault.kind == scripts.EXPIRED:
            self.expired.add(signer_of(call))

    def refusal(self, call: Call, dialect: Dialect) -> Fault | None:
        """What the whole request meets."""
        if self.expired and signer_of(call) in self.expired:
            return dialect.denial(EXPIRED, "The security token included in the request is expired")
        if not self.gone and not self.blocked:
            return None
        if dialect.item_errors and dialect.take_apart(call) is not None:
            return None
        targets = dialect.targets(call)
        for name in sorted(targets & self.gone):
            return dialect.missing(name)
        for name in sorted(targets & self.blocked) if dialect.writes(call) else ():
            return dialect.blocked(name)
        return None

    def items(self, write: Write, dialect: Dialect) -> dict[int, Fault]:
        """What single items meet."""
        found = {}
        for place, entry in enumerate(write.entries):
            if entry.target in self.gone:
                found[place] = dialect.missing(entry.target)
            elif entry.target in self.blocked:
                found[place] = dialect.blocked(entry.target)
        return found
