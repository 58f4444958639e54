"""One migration as a process of its own, which SIGKILLs itself at a given request.

``python -m ...migration.process URL PREFIX LEDGER AT``; AT 0: it lives. Prints the counts of both stages.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import asdict

from ingest_project.entities.conversations.tables import tables_of
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.owner import is_dead, new_owner
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import StaticCredentials
from ingest_project_tests.entities.conversations.migration.scenes import Hands, migration_of
from ingest_project_tests.sinks.sending import dynamodb_api


class Doomed(DynamoDBApi):
    """Ends the process before its n-th request, or behind it, in turn."""

    def __init__(self, api: DynamoDBApi, at: int) -> None:
        super().__init__(api.endpoint, api.signer)
        self._left = at

    async def post(self, operation: str, body: bytes) -> bytes:
        self._left -= 1
        if self._left == 0:
            if os.getpid() % 2:
                await super().post(operation, body)
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().post(operation, body)


async def main(url: str, prefix: str, ledger_url: str, at: int) -> None:
    tables = tables_of({word: f"{prefix}-{word}" for word in tables_of()})
    with Upkeep(ledger_url) as upkeep:
        upkeep.release_dead("conversations", is_dead, now=time.time())
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    async with dynamodb_api(url, credentials=credentials) as api:
        ledger = SqlLedger(ledger_url)
        migration = migration_of(Doomed(api, at), tables, ledger, owner=new_owner(), clock=Hands())
        plan = await migration.make_plan()
        await migration.prepare(plan)
        moved = [await migration.copy(plan), await migration.embed(plan)]
        sys.stdout.write(json.dumps([asdict(one.counts) for one in moved]))
        ledger.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
