"""Metrics as values, and as the OpenMetrics text that others read. Nothing is measured here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import isfinite
from typing import Literal

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number.

    Attributes:
        name: Ends with ``_`` and the unit, where there is one; a counter's without ``_total``.
        kind: ``counter``: only grows while its process lives.
        unit: ``seconds``, ``bytes``, ``ratio`` or empty.
    """

    name: str
    value: float
    help: str
    kind: Literal["gauge", "counter"] = "gauge"
    unit: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.unit and not self.name.endswith(f"_{self.unit}"):
            raise ValueError(f"metric {self.name} must end with _{self.unit}")
        if self.name.endswith("_total") or not all(map(_NAME.fullmatch, (self.name, *self.labels))):
            raise ValueError(f"not the name of a metric or a label: {self.name} {sorted(self.labels)}")


def as_openmetrics(metrics: Sequence[Metric]) -> str:
    """OpenMetrics 1.0 text: metrics of one name are one family, in the order of the first of each."""
    order = {name: place for place, name in enumerate(dict.fromkeys(metric.name for metric in metrics))}
    lines = []
    for name, family in groupby(sorted(metrics, key=lambda metric: order[metric.name]), lambda one: one.name):
        members = list(family)
        first = members[0]
        lines.append(f"# TYPE {name} {first.kind}")
        lines += [f"# UNIT {name} {first.unit}"] if first.unit else []
        lines.append(f"# HELP {name} {_escaped(first.help)}")
        suffix = "_total" if first.kind == "counter" else ""
        lines += [f"{name}{suffix}{_labels(metric.labels)} {_number(metric.value)}" for metric in members]
    return "\n".join([*lines, "# EOF\n"])


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items())) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if isfinite(value):
        return repr(float(value)).removesuffix(".0") if abs(value) < 1e15 else repr(float(value))
    return "NaN" if value != value else ("+Inf" if value > 0 else "-Inf")
