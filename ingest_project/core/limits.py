"""How much at once: batch limits, the batcher and the memory budget. Never sends, never sleeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """What one request may hold: at most ``count`` items and ``bytes`` bytes; one larger item goes alone.

    Attributes:
        overhead: Bytes that each item adds to the request beside its body (a comma, a line break).
    """

    count: int
    bytes: int
    overhead: int = 1
