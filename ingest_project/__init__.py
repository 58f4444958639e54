"""Brings huge dumps, paged APIs and document collections into S3, DynamoDB and OpenSearch.

``import_file`` is the code API. It is imported at its first use: this package is Dagster's code location too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest_project.api import import_file

__all__ = ["import_file"]


def __getattr__(name: str) -> object:
    if name == "import_file":
        from ingest_project.api import import_file

        return import_file
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
