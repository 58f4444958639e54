"""The exception tree, named by consequence: the name says what the caller must do.

No vendor error lives here; adapters translate theirs into these and chain the original.
"""

from __future__ import annotations


class IngestError(Exception):
    """Everything that this package raises on purpose."""


class TransientFailure(IngestError):
    """Try again later; nothing is wrong with the data or the configuration.

    Args:
        message: What failed, in words a person can act on.
        retry_after: Seconds the server asked to wait, when it did.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(TransientFailure):
    """The target asks for a lower rate: back off and shrink what is in flight."""


class Unreachable(TransientFailure):
    """No connection could be made: nothing was sent, so nothing took effect."""


class CircuitOpen(TransientFailure):
    """The service failed so often that it is left alone for now; ``retry_after`` says until when."""


class PermanentFailure(IngestError):
    """Trying again changes nothing; a person or another input has to."""


class BatchTooLarge(PermanentFailure):
    """The target refuses the request for its size (HTTP 413): split the batch and send the halves."""


class AccessRefused(PermanentFailure):
    """The service does not let us in: somebody has to change the credentials or what they allow.

    Args:
        status: 401: it does not know who asks; 403: it does, and refuses.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_access_refused, (str(self), self.status)


def _rebuild_access_refused(message: str, status: int) -> AccessRefused:
    return AccessRefused(message, status=status)


class AnswerTooLarge(PermanentFailure):
    """The answer is longer than the caller has room for; the rest of it was not read."""


class HarmfulRequest(PermanentFailure):
    """The service breaks down over this very request and works without it: leave this input out."""


class ConfigurationError(PermanentFailure):
    """A setting is missing, malformed or contradicts another one."""


class RemoteWriteRefused(ConfigurationError):
    """A write to an endpoint that is not on this machine, without INGEST_ALLOW_REMOTE_WRITES naming it."""


class TargetMissing(PermanentFailure):
    """The table, index or bucket does not exist and may not be created here."""


class BadInput(PermanentFailure):
    """The input is not what it must be. Says file, byte offset and what was expected."""

    def __init__(self, *, uri: str, offset: int, expected: str) -> None:
        super().__init__(f"{uri}: byte {offset}: expected {expected}")
        self.uri = uri
        self.offset = offset
        self.expected = expected

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_bad_input, (self.uri, self.offset, self.expected)


def _rebuild_bad_input(uri: str, offset: int, expected: str) -> BadInput:
    return BadInput(uri=uri, offset=offset, expected=expected)


class SourceChanged(PermanentFailure):
    """The file's bytes are no longer those that were planned (another size or etag)."""


class ChunkBusy(TransientFailure):
    """Another owner holds a live lease on the chunk, or an earlier chunk of the same target is still
    writing."""


class PlanDrift(PermanentFailure):
    """One chunk id with other bytes than those that the ledger knows."""


class LeaseLost(IngestError):
    """The claim was taken over by another owner: stop at once, write nothing more."""


class CountLost(IngestError):
    """A sink's report does not add up to what was sent. Never ignored."""
