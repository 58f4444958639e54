"""What a test run says about its servers in the end: which ran, which could not be had, and who used them.

Reads test reports only, so that it also works in the controller of pytest-xdist.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

USED = "server used"
_MISSING = re.compile(r"server (\w+) cannot be had: (.*)")
_OUTCOMES = ("passed", "failed", "skipped")


class Tables:
    """Counts, from the reports, the outcomes of the tests of each server and module."""

    def __init__(self, report: Path | None) -> None:
        """Args:
        report: File that gets the same as JSON, or None.
        """
        self._report = report
        self._outcomes: dict[str, str] = {}
        self._lacking: dict[str, set[str]] = {}
        self.cells: dict[tuple[str, str], Counter[str]] = {}
        self.missing: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of one test; the last phase carries which servers it took."""
        test = report.nodeid
        if report.outcome != "passed" or report.when == "call":
            if self._outcomes.get(test) != "failed":
                self._outcomes[test] = report.outcome
            for name, reason in _MISSING.findall(_reason(report)):
                self.missing.setdefault(name, reason)
                self._lacking.setdefault(test, set()).add(name)
        if report.when == "teardown":
            words = {str(word) for kind, word in report.user_properties if kind == USED}
            outcome = self._outcomes.pop(test, "passed")
            for word in words | self._lacking.pop(test, set()):
                self.cells.setdefault((word, test.partition("::")[0]), Counter())[outcome] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print both tables; nothing when no test asked for a server."""
        if self._report is not None:
            self._report.write_text(json.dumps(self.document(), indent=2) + "\n")
        if not self.cells:
            return
        terminalreporter.section("servers")
        for line in self.lines():
            terminalreporter.line(line)

    def lines(self) -> Iterator[str]:
        """The servers with the number of their tests, then the table server x module."""
        tests: Counter[str] = Counter()
        for (server, _), counts in self.cells.items():
            tests[server] += counts.total()
        rows = [(server, f"{count} tests") for server, count in sorted(tests.items())]
        yield from _aligned([(name, count, self.missing.get(name, "")) for name, count in rows])
        yield ""
        yield from _aligned([("server", "module", *_OUTCOMES), *self._rows()])

    def document(self) -> Mapping[str, object]:
        """The same for machines."""
        names = ("server", "module", *_OUTCOMES)
        return {
            "missing": self.missing,
            "table": [dict(zip(names, row, strict=True)) for row in self._rows()],
        }

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for (server, module), counts in sorted(self.cells.items()):
            yield (server, module, *(str(counts[outcome]) for outcome in _OUTCOMES))


def _reason(report: pytest.TestReport) -> str:
    """A skip carries its place beside its reason."""
    told = report.longrepr
    return str(told[2] if isinstance(told, tuple) else told or "")


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
