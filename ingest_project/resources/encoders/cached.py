"""Vectors that were made once are not made again. Model and store are given."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from threading import Lock

from ingest_project.core.encoding import Encoder, Vector, VectorStore, text_key

BATCH = 64
FLOAT = 4


class CachedEncoder:
    """Looks into a store before it asks the model; satisfies ``core.encoding.Encoder`` itself.

    Equal texts of a call are encoded once. What a batch of the model gave is stored before the next begins,
    so that a killed process loses one. Two callers may make the same vector at once: the first is kept.

    Args:
        batch: Texts that the model and the store are given at once.

    Attributes:
        found, made: Vectors that came from the store, and from the model.
    """

    def __init__(self, encoder: Encoder, store: VectorStore, *, batch: int = BATCH) -> None:
        self._encoder, self._store, self._batch = encoder, store, batch
        self._counting = Lock()
        self.found = self.made = 0

    @property
    def name(self) -> str:
        return self._encoder.name

    @property
    def dimensions(self) -> int:
        return self._encoder.dimensions

    def encode(self, texts: Sequence[str]) -> list[Vector[float]]:
        """See core.encoding.Encoder."""
        keys = [text_key(text) for text in texts]
        unique = dict(zip(keys, texts, strict=True))
        vectors = {
            key: vector for keys in self._slices(list(unique)) for key, vector in self._some(keys, unique)
        }
        return [vectors[key] for key in keys]

    def _some(self, keys: Sequence[str], texts: dict[str, str]) -> Iterator[tuple[str, Vector[float]]]:
        known = {
            key: array("f", stored)
            for key, stored in self._store.find(self.name, keys).items()
            if len(stored) == FLOAT * self.dimensions
        }
        wanted = [key for key in keys if key not in known]
        fresh: dict[str, Vector[float]] = {}
        if wanted:
            fresh = dict(zip(wanted, self._encoder.encode([texts[key] for key in wanted]), strict=True))
            self._store.keep(self.name, {key: vector.tobytes() for key, vector in fresh.items()})
        with self._counting:
            self.found, self.made = self.found + len(known), self.made + len(fresh)
        yield from (known | fresh).items()

    def _slices(self, keys: Sequence[str]) -> Iterator[Sequence[str]]:
        return (keys[start : start + self._batch] for start in range(0, len(keys), self._batch))
