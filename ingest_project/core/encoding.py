"""Texts as vectors: the door to a model that makes them, and what is done with them. No model lives here."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from operator import mul
from typing import Protocol

Vector = array
"""``array("f")`` of length one: float32 values without a library; numpy takes it uncopied."""


class Encoder(Protocol):
    """A model. Loaded when first asked, and once a process; may be called from any thread."""

    @property
    def name(self) -> str:
        """Model and version: another word wherever a text's vector would be another one."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of each vector; may load the model."""
        ...

    def encode(self, texts: Sequence[str]) -> list[Vector[float]]:
        """One vector a text, in their order, each a function of its text alone: neither its neighbours nor
        their number change a bit of it. Takes CPU time: an event loop calls it in a thread."""
        ...


class VectorStore(Protocol):
    """Vectors that were made before, by model and text."""

    def find(self, model: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        """The known ones of ``keys``."""
        ...

    def keep(self, model: str, vectors: Mapping[str, bytes]) -> None:
        """Remember them; one that is known is left as it is."""
        ...


def text_key(text: str) -> str:
    """32 hexadecimal digits that stand for a text in a VectorStore."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def cosine(left: Vector[float], right: Vector[float]) -> float:
    """-1 to 1, of two vectors of length one."""
    return fsum(map(mul, left, right))


def best_cosine(vector: Vector[float], others: Iterable[Vector[float]]) -> float:
    """How near the nearest of ``others`` is; -1 where there is none."""
    return max((cosine(vector, other) for other in others), default=-1.0)
