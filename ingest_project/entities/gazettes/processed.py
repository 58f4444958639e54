"""Stage ``processed``: the database hears which gazettes are through all stages, many in one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ingest_project.core.documents import COMPLETED, Document, Done, Outcome, fingerprint_of
from ingest_project.entities.gazettes.spec import PROCESSED

_WEIGHT = 1024


class Processed:
    """A core.documents.Stage; the last one. A listing that finds the flag unset reopens it.

    Args:
        mark: Sets the flag of these ids, as GazetteRegister.mark_processed.
        after: All stages that a gazette has to be through with.
    """

    name, state = PROCESSED, COMPLETED

    def __init__(
        self, mark: Callable[[Sequence[str]], int], after: tuple[str, ...], *, batch: int = 100
    ) -> None:
        self._mark, self.after, self.batch = mark, after, batch

    def fingerprint(self, document: Document) -> str:
        """A flag that is set stays set, whatever is done to a gazette once more."""
        return fingerprint_of(PROCESSED, document.id)

    def weight(self, document: Document) -> int:
        return _WEIGHT

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        await asyncio.to_thread(self._mark, [document.id for document in documents])
        return [Done(output="processed")] * len(documents)
