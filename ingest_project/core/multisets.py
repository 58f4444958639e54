"""Multisets compared without being held: count and sum of hashes, a bucket each. Constant memory.

Two multisets that differ have another count or sum in some bucket, but for a chance of 2**-128. Sums of parts
add up, so parts may come in any order.
"""

from __future__ import annotations

from collections.abc import Iterable

DIGEST_BYTES = 16
_MASK = (1 << (8 * DIGEST_BYTES)) - 1


class Multiset:
    """What was put in, as a count and a 128-bit sum a bucket: about 100 bytes a bucket. Not for threads.

    Args:
        buckets: How many.
    """

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self._sums = [0] * buckets

    def add(self, entries: Iterable[tuple[int, bytes]]) -> None:
        """Put in digests of 16 bytes, each into its bucket."""
        counts, sums = self.counts, self._sums
        for bucket, digest in entries:
            counts[bucket] += 1
            sums[bucket] = (sums[bucket] + int.from_bytes(digest, "big")) & _MASK

    @property
    def total(self) -> int:
        """How many were put in."""
        return sum(self.counts)

    def differing(self, other: Multiset) -> list[int]:
        """Buckets in which the two are not equal."""
        pairs = zip(
            zip(self.counts, self._sums, strict=True),
            zip(other.counts, other._sums, strict=True),
            strict=True,
        )
        return [bucket for bucket, (mine, theirs) in enumerate(pairs) if mine != theirs]
