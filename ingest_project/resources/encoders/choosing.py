"""Which encoder a word of the settings means; each is made, and so loaded, once a process."""

from __future__ import annotations

from functools import cache
from threading import Lock

from ingest_project.core.encoding import Encoder
from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.resources.encoders.models import TransformerEncoder, UseEncoder

DEFAULT = "use-multilingual"
TRANSFORMERS = "sentence-transformers:"

_making = Lock()


def encoder_of(word: str) -> Encoder:
    """The process's encoder of that word.

    Args:
        word: ``use-multilingual``, ``hashing``, or ``sentence-transformers:`` with a model's name or folder.

    Raises:
        ConfigurationError: No such encoder.
    """
    with _making:
        return _made(word)


@cache
def _made(word: str) -> Encoder:
    if word == DEFAULT:
        return UseEncoder()
    if word == "hashing":
        return HashingEncoder()
    model = word.removeprefix(TRANSFORMERS)
    if model and model != word:
        return TransformerEncoder(model)
    raise ConfigurationError(f"no encoder {word!r}: {DEFAULT}, hashing, or {TRANSFORMERS}MODEL")
