"""Brings huge dumps, paged APIs and document collections into S3, DynamoDB and OpenSearch.

``import_file`` and ``import_records`` are the code API. They are imported at their first use: this package is
Dagster's code location too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest_project.api import import_file, import_records

__all__ = ["import_file", "import_records"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from ingest_project import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
