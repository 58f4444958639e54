"""What an import tells: its report, a file each, and the progress on the way. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ingest_project.core.pressure import UNSEEN, Pressure

_SUMS = ("read", "valid", "written", "indexed", "superseded", "unchanged", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress:
    """Where an import stands. Told at every durable step, about once a second.

    Attributes:
        stage: ``planned`` (counted in bytes), then ``validated``, ``table`` and ``index`` (in records).
        done, total: Of this stage, what earlier attempts did included.
        rate: Lately, a second.
        seconds_left: Of this stage; None while nobody can know.
        all_left: Seconds to the end of the import's last stage; None while nobody can know.
        memory: What memory presses to, as a sentence; empty while it does not.
    """

    stage: str
    done: int
    total: int
    rate: float
    seconds_left: float | None
    all_left: float | None = None
    memory: str = ""

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return min(1.0, self.done / self.total) if self.total else 1.0


ImportWatcher = Callable[[ImportProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What became of one file. Counts are the ledger's, earlier attempts at the same load included.

    ``read = valid + rejected by the contract``, and in each target
    ``valid = written + superseded + unchanged + rejected by the target``.

    Attributes:
        read: Records found in the file.
        valid: Those that met the contract.
        written: Put into the table; ``indexed``: into the index.
        superseded: Left out, as a later record of the load has the same key.
        unchanged: Found in the table as they are.
        rejected: Refused by the contract, the table or the index.
        reasons: Reason -> how often; the most frequent ones.
        error: Why the file is not loaded to its end; empty when it is.
        loaded_before: It was complete before; nothing was sent.
        seconds: Work of this call on the file, a second of each of several workers counted.
    """

    uri: str
    table: str
    index: str = ""
    chunks: int = 0
    read: int = 0
    valid: int = 0
    written: int = 0
    indexed: int = 0
    superseded: int = 0
    unchanged: int = 0
    rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    loaded_before: bool = False
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.error and not self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of an import.

    Attributes:
        seconds: Of this call.
        items: Records that went through this call's slowest stage; earlier attempts do not count.
        peak_rss_bytes: Greatest resident memory of this call, that of its worker processes added.
        pressure: What was seen of the memory budget.
        cpu_seconds: Processor time of this call, its workers included.
        target_seconds: Time of its requests to the targets, each counted: many are under way at once.
        notes: What a user should know, in sentences.
        undone: Why what the entity makes of its records was not made to the end; empty when it was.
        refused_behind: Of that, how much was refused.
    """

    files: tuple[FileReport, ...]
    seconds: float
    items: int
    peak_rss_bytes: int
    dry_run: bool = False
    notes: tuple[str, ...] = ()
    pressure: Pressure = UNSEEN
    cpu_seconds: float = 0.0
    target_seconds: float = 0.0
    undone: str = ""
    refused_behind: int = 0

    @property
    def ok(self) -> bool:
        """Every file is loaded to its end, no record was refused, and what is made of them is made."""
        return all(file.ok for file in self.files) and not self.undone and not self.refused_behind

    @property
    def read(self) -> int:
        return self._sum("read")

    @property
    def written(self) -> int:
        return self._sum("written")

    @property
    def indexed(self) -> int:
        return self._sum("indexed")

    @property
    def superseded(self) -> int:
        return self._sum("superseded")

    @property
    def rejected(self) -> int:
        return self._sum("rejected")

    @property
    def failure_rate(self) -> float:
        """Rejected records, as a part of those read; 0 when nothing was read."""
        return self.rejected / self.read if self.read else 0.0

    @property
    def success_rate(self) -> float:
        """Of the records read, those that no one refused."""
        return 1.0 - self.failure_rate if self.read else 0.0

    @property
    def failed_files(self) -> int:
        """Files that were not loaded to their end."""
        return sum(bool(file.error) for file in self.files)

    @property
    def items_per_second(self) -> float:
        return self.items / self.seconds if self.seconds > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The report in words that JSON knows."""
        return {
            **{name: self._sum(name) for name in _SUMS},
            "seconds": round(self.seconds, 3),
            "items_per_second": round(self.items_per_second, 1),
            "peak_rss_bytes": self.peak_rss_bytes,
            "cpu_seconds": round(self.cpu_seconds, 3),
            "target_seconds": round(self.target_seconds, 3),
            "success_rate": round(self.success_rate, 6),
            "failure_rate": round(self.failure_rate, 6),
            "failed_files": self.failed_files,
            "memory": asdict(self.pressure),
            "dry_run": self.dry_run,
            "notes": list(self.notes),
            "undone": self.undone,
            "refused_behind": self.refused_behind,
            "files": [asdict(file) for file in self.files],
        }

    def _sum(self, name: str) -> int:
        return sum(getattr(file, name) for file in self.files)
