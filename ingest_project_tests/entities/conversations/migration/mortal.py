"""Calls to DynamoDB as one process makes them that can die: before a write takes effect, or behind it."""

from __future__ import annotations

from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.testing.faults import KillPoint

WRITES = frozenset({"BatchWriteItem", "PutItem"})


class MortalApi(DynamoDBApi):
    """Writes count as passages of the kill point; a dead process asks nothing any more."""

    def __init__(self, api: DynamoDBApi, kill: KillPoint) -> None:
        super().__init__(api.endpoint, api.signer)
        self._kill = kill

    async def post(self, operation: str, body: bytes) -> bytes:
        if operation not in WRITES:
            self._kill.life.check()
            return await super().post(operation, body)
        self._kill.before_effect()
        answer = await super().post(operation, body)
        self._kill.behind_effect()
        return answer
