"""Plots of the kept results, a file a family of claims: docs/images/bench-<family>.png. Measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.claims import Claim, cpu
from benchmarks.frame import Sample
from benchmarks.table import Result

IMAGES = Path(__file__).parents[1] / "docs" / "images"
OURS, PEER = "tab:blue", "lightgray"

Kept = Sequence[tuple[Claim, Result]]


def plot(family: str, kept: Kept) -> Path | None:
    """Draw a family's plot; None where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("agg")
    path = IMAGES / f"bench-{family}.png"
    figure = DRAWN.get(family, costs)(kept)
    figure.tight_layout()
    figure.savefig(path, dpi=80, metadata={"Software": None})
    return path


def axes_of(count: int, width: float, height: float, **words: Any) -> tuple[Any, list[Any]]:
    """A figure with so many axes, two in a row."""
    from matplotlib import pyplot

    columns = min(2, count)
    rows = -(-count // columns)
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, **words
    )
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes


def costs(kept: Kept) -> Any:
    """A bar a row: CPU microseconds a unit, from least to most as a whisker; a logarithmic scale."""
    return bars(kept, lambda claim: f"CPU us/{claim.unit}", lambda one: cpu(one) * 1e6, log=True)


def rates(kept: Kept) -> Any:
    return bars(kept, lambda claim: f"{claim.unit}s/s", lambda one: one.units / one.wall)


def indexed(kept: Kept) -> Any:
    return bars(kept, lambda claim: f"{claim.unit}s found afterwards", lambda one: one.figures["indexed"])


def bars(
    kept: Kept, label: Callable[[Claim], str], of: Callable[[Sample], float], *, log: bool = False
) -> Any:
    tallest = max(len(result.samples) for _, result in kept)
    figure, axes = axes_of(len(kept), 7.0, 0.9 + 0.32 * tallest)
    for place, (claim, result) in zip(axes, kept, strict=False):
        for at, (name, samples) in enumerate(reversed(list(result.samples.items()))):
            found = [of(sample) for sample in samples]
            middle = statistics.median(found)
            whisker = [[middle - min(found)], [max(found) - middle]]
            color = OURS if name in result.ours else PEER
            place.barh(name, middle, xerr=whisker, color=color, ecolor="dimgray")
            text = f"{middle:,.0f}" if middle >= 100 else f"{middle:.3g}"
            place.annotate(text, (max(found), at), (4, 0), textcoords="offset points", va="center")
        place.set_title(claim.title, fontsize="medium")
        place.set_xlabel(label(claim))
        place.margins(x=0.2)
        if log:
            _logarithmic(place)
    return figure


def _logarithmic(place: Any) -> None:
    """Plain numbers at 1, 2 and 5 of each decade: usual labels would run into each other within one."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    place.set_xscale("log")
    place.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    place.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    place.xaxis.set_minor_formatter(NullFormatter())


def memory(kept: Kept) -> Any:
    """Peak over the size of the file."""
    figure, (place,) = axes_of(1, 7.0, 4.0)
    for _, result in kept:
        sizes = [float(name.removesuffix(" MB").replace(",", "")) for name in result.samples]
        peaks = [statistics.median(one.peak / 2**20 for one in found) for found in result.samples.values()]
        place.plot(sizes, peaks, marker="o", color=OURS)
    place.set_xscale("log")
    place.set_ylim(bottom=0)
    place.set_xlabel("MB of the file")
    place.set_ylabel("peak MB of the process")
    place.grid(alpha=0.3)
    return figure


def quota(kept: Kept) -> Any:
    """Units taken and refused and requests in flight by second of the first round, a column a client."""
    from matplotlib import pyplot

    from benchmarks.dynamodb_quota import QUOTA

    ((_, result),) = kept
    clients = {name: found[0].series for name, found in result.samples.items()}
    figure, axes = pyplot.subplots(2, len(clients), figsize=(5 * len(clients), 6), sharex=True, sharey="row")
    for column, (name, series) in enumerate(clients.items()):
        above, below = axes[0][column], axes[1][column]
        above.axhline(QUOTA, color="black", linewidth=0.8, linestyle=":", label="quota")
        _quota_of(above, below, series)
        above.set_title(name)
        above.set_ylim(0, 3 * QUOTA)
        above.legend(loc="upper right", fontsize="small")
    axes[0][0].set_ylabel("write units a second")
    axes[1][0].set_ylabel("requests in flight, most in a second")
    return figure


def _quota_of(above: Any, below: Any, series: Mapping[str, Any]) -> None:
    seen = [one for one in series["seen"] if one["second"] < int(series["seconds"])]
    at = [one["second"] for one in seen]
    above.plot(at, [one["accepted"] for one in seen], color="tab:blue", label="taken")
    above.plot(at, [one["refused"] for one in seen], color="tab:red", label="refused")
    pace = [one if one is not None else float("nan") for one in series["pace"]]
    if pace:
        above.plot(range(1, len(pace) + 1), pace, color="tab:green", linestyle="--", label="pace")
    below.step(at, [one["in_flight"] for one in seen], color="tab:purple", where="post")
    below.set_ylim(bottom=0)
    below.set_xlabel("seconds")
    for axes in (above, below):
        axes.grid(alpha=0.3)


DRAWN: Mapping[str, Callable[[Kept], Any]] = {
    "memory": memory,
    "scaling": rates,
    "quota": quota,
    "backpressure": indexed,
}
