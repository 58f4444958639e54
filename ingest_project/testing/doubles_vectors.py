"""The double of a vector store: a dictionary. Nothing is kept behind the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class InMemoryVectors:
    """core.encoding.VectorStore in a dictionary.

    Attributes:
        vectors: (model, key) -> its bytes.
    """

    vectors: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def find(self, model: str, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {key: self.vectors[model, key] for key in keys if (model, key) in self.vectors}

    def keep(self, model: str, vectors: Mapping[str, bytes]) -> None:
        for key, vector in vectors.items():
            self.vectors.setdefault((model, key), vector)
