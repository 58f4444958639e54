"""One file an association: it knows how its gazettes are laid out, and names its segmenter ``SEGMENTER``.

A file put here is found; nothing else is edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.gazettes.segmenting import Segmenter, Segmenters


def registered(*packages: ModuleType) -> Segmenters:
    """The segmenters of all modules of the packages.

    Raises:
        ConfigurationError: A module has none, or two are for one association.
    """
    found: dict[str, Segmenter] = {}
    for package in packages:
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            segmenter: Segmenter | None = getattr(importlib.import_module(module.name), "SEGMENTER", None)
            if segmenter is None:
                raise ConfigurationError(f"{module.name} names no SEGMENTER")
            if segmenter.association in found:
                raise ConfigurationError(f"{module.name}: {segmenter.association} has a segmenter already")
            found[segmenter.association] = segmenter
    return found
