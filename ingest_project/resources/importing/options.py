"""ImportOptions: what a caller may tell an import. A value."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_project.core.model import KeySchema


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What an import may be told.

    Attributes:
        table: Table of every file; None takes each file's from its name.
        index: Index of every file; None makes its name of the table's.
        with_index: None: when OpenSearch is configured.
        key: Key that the tables have; needed to make one.
        create_table: Make a missing table with ``key``.
        workers: Processes over the chunks; None is the deployment's number.
        at_once: Files worked on at once; None is the deployment's number.
        chunks: Ids of the chunks that are meant, or how they begin; empty: all.
        dry_run: Read, validate and count; write nothing anywhere.
        again: Load also what is loaded already.
    """

    table: str | None = None
    index: str | None = None
    with_index: bool | None = None
    key: KeySchema | None = None
    create_table: bool = False
    workers: int | None = None
    at_once: int | None = None
    chunks: frozenset[str] = frozenset()
    dry_run: bool = False
    again: bool = False
