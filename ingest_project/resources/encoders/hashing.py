"""Vectors by the words that texts share: no model, no meaning. For tests and for trying things out."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import sqrt

from ingest_project.core.encoding import Vector

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HashingEncoder:
    """Each word adds one to the place, and with the sign, that its hash names: a ``core.encoding.Encoder``.

    Attributes:
        dimensions: Places; words that fall on one are taken for each other.
    """

    dimensions: int = 256

    @property
    def name(self) -> str:
        return f"hashing-{self.dimensions}"

    def encode(self, texts: Sequence[str]) -> list[Vector[float]]:
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Vector[float]:
        counts = [0] * self.dimensions
        for place, sign in self._places(text.casefold()):
            counts[place] += sign
        length = sqrt(sum(count * count for count in counts)) or 1.0
        return array("f", [count / length for count in counts])

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        for word in _WORD.findall(text):
            number = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")
            yield (number >> 1) % self.dimensions, 1 if number & 1 else -1
