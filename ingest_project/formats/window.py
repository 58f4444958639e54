"""A moving window over a stream of byte blocks: what the cutter looks at. Knows offsets, knows no JSON."""

from __future__ import annotations

from collections.abc import Iterable

STEP = 64 << 10
"""Bytes taken in at once, however large the blocks are. The allocator hands out windows of this size again
and again; larger ones are fresh pages of the system each time, which cost half as much as decoding them."""


class Damaged(Exception):
    """The stream of blocks ends before its time; ``expected`` says what had to follow."""

    def __init__(self, expected: str) -> None:
        super().__init__(f"expected {expected}")
        self.expected = expected


class Window:
    """Bytes [base, base + len(data)) of a stream; ``final`` once no more will come.

    Holds what the caller keeps plus as much again, so that a value of n bytes costs O(n) to collect.

    Attributes:
        damage: What the stream expected where it broke off; it then counts as ended there.
    """

    def __init__(self, blocks: Iterable[bytes], base: int = 0) -> None:
        self._blocks = iter(blocks)
        self._block = memoryview(b"")
        self.base = base
        self.data = b""
        self.final = False
        self.damage = ""

    @property
    def end(self) -> int:
        """Offset behind the last byte that was seen."""
        return self.base + len(self.data)

    def move(self, keep: int) -> None:
        """Forget the bytes before index ``keep`` and take in at least as many new ones as remain."""
        rest = memoryview(self.data)[keep:]
        parts, wanted = [rest], max(1, len(rest))
        while wanted > 0 and (piece := self._piece(max(wanted, STEP))):
            parts.append(piece)
            wanted -= len(piece)
        self.base += keep
        self.data = b"".join(parts)

    def _piece(self, most: int) -> memoryview:
        """At most ``most`` bytes of the stream; none at its end."""
        while not self._block and not self.final:
            self._block = memoryview(self._next())
        piece, self._block = self._block[:most], self._block[most:]
        return piece

    def _next(self) -> bytes:
        try:
            return next(self._blocks)
        except StopIteration:
            pass
        except Damaged as damage:
            self.damage = damage.expected
        self.final = True
        return b""
