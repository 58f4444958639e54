"""The environment variables of the project, read by type; docs/configuration.md is made from their table.

No environment is read here: deployments.py hands it in.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.endpoints import Endpoint, parse_endpoint
from ingest_project.resources.variable_table import VARIABLES, Variable

__all__ = ["VARIABLES", "Reader", "page"]


_KNOWN: Mapping[str, Variable] = {variable.name: variable for variable in VARIABLES}


def page() -> str:
    """docs/configuration.md as it must be."""
    lines = [*_PAGE_HEAD]
    for group in dict.fromkeys(variable.group for variable in VARIABLES):
        lines += [f"## {group}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
        for variable in VARIABLES:
            if variable.group == group:
                default = variable.unset or f"`{variable.default}`"
                lines.append(f"| `{variable.name}` | {default} | {variable.meaning} |")
        lines.append("")
    return "\n".join(lines)


_PAGE_HEAD = (
    "# Configuration",
    "",
    "Everything is configured by environment variables. This page is made from the table in",
    "`ingest_project/resources/variable_table.py` by `make docs`; a test compares the two.",
    "An empty variable counts as unset. An unknown `INGEST_` variable is refused: it is a typing error.",
    "",
    "When none of the address variables is set and the embedded services of `INGEST_HOME` run",
    "(`ingest services up`), their addresses and credentials are used.",
    "",
    "Writing to what is not on this machine is refused unless `INGEST_ALLOW_REMOTE_WRITES` names it.",
    "Only `localhost`, `127.x.y.z` and `[::1]` count as this machine; names are not resolved.",
    "",
)


class Reader:
    """Typed access to the variables of the table; an empty value counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        return self._environ.get(name, "").strip() or _KNOWN[name].default

    def refuse_unknown(self, start: str) -> None:
        """Refuse a name of our own kind that nobody reads: a typing error would go unnoticed."""
        for name in sorted(self._environ):
            if name.startswith(start) and name not in _KNOWN:
                near = difflib.get_close_matches(name, _KNOWN, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ConfigurationError(
                    f"{name} is not a setting of this project{hint} (docs/configuration.md)"
                )

    def number(self, name: str, low: float, high: float) -> float:
        try:
            value = float(self.text(name))
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ConfigurationError(
                f"{name} must be a number from {low:g} to {high:g}, not {self.text(name)!r}"
            )
        return value

    def count(self, name: str, low: int, high: int) -> int:
        value = self.number(name, low, high)
        if value != int(value):
            raise ConfigurationError(f"{name} must be a whole number, not {self.text(name)!r}")
        return int(value)

    def count_or_auto(self, name: str, low: int, high: int) -> int | None:
        """None for ``auto``."""
        return None if self.text(name) == "auto" else self.count(name, low, high)

    def choice(self, name: str, *words: str) -> str:
        if self.text(name) not in words:
            raise ConfigurationError(f"{name} must be one of {', '.join(words)}, not {self.text(name)!r}")
        return self.text(name)

    def prefix(self, name: str) -> str:
        """A key prefix without leading slash, with one at its end."""
        value = self.text(name).strip("/")
        if not value or any(part in ("", ".", "..") for part in value.split("/")):
            raise ConfigurationError(f"{name} must be a key prefix such as {_KNOWN[name].default!r}")
        return value + "/"

    def endpoint(self, name: str, fallback: str) -> Endpoint | None:
        text = self.text(name)
        if not text and not fallback:
            return None
        return parse_endpoint(text, name) if text else parse_endpoint(fallback, "AWS_ENDPOINT_URL")
