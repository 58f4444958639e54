"""LedgerBudget: the request budget of one API in a row of the ledger, for all threads, processes and hosts.

One verb, one transaction; the rules are core.budgeting's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Connection, func, select, update

from ingest_project.core import budgeting
from ingest_project.core.budgeting import Budget, Turn
from ingest_project.ledgers.database import Database
from ingest_project.ledgers.schema import budgets


class LedgerBudget:
    """core.budgeting.SharedBudget over SQLAlchemy.

    Args:
        url: Of the ledger.
        api: Whose budget; everybody who names it shares it.
        quota: Requests a second at most, or other units, over all who share it.
        clock: Seconds. Left out, it is PostgreSQL's own clock, so that hosts need not agree on theirs, and
            for SQLite that of the one machine.
    """

    def __init__(
        self, url: str | Path, api: str, quota: float, *, clock: Callable[[], float] | None = None
    ) -> None:
        if quota <= 0:
            raise ValueError(f"no request is ever made at {quota} requests a second")
        self._db, self._api, self._quota = Database(url), api, quota
        one_machine = self._db.url.get_backend_name() == "sqlite"
        self._clock = clock or (time.time if one_machine else None)

    def close(self) -> None:
        """Give the connections back; the budget can be used again."""
        self._db.close()

    def take(self, successes: int, units: float = 1.0) -> Turn:
        """See core.budgeting.SharedBudget."""
        with self._db.writing() as connection:
            budget = self._locked(connection)
            taken, turn = budgeting.take(budget, self._now(connection), self._quota, successes, units)
            self._store(connection, taken)
        return turn

    def stands(self, turn: Turn) -> bool:
        """See core.budgeting.SharedBudget."""
        with self._db.reading() as connection:
            budget = self._row(connection)
        return budget is None or budgeting.stands(budget, turn)

    def object(self, turn: Turn, seconds: float) -> None:
        """See core.budgeting.SharedBudget."""
        with self._db.writing() as connection:
            budget, now = self._locked(connection), self._now(connection)
            after = budgeting.object_to(budget, now, turn.moment, seconds, self._quota)
            self._store(connection, after)

    def hold(self, seconds: float) -> None:
        """See core.budgeting.SharedBudget."""
        with self._db.writing() as connection:
            budget = self._locked(connection)
            self._store(connection, budgeting.hold(budget, self._now(connection), seconds))

    def standing(self) -> Budget:
        """The budget as it stands, for whoever wants to show it."""
        with self._db.reading() as connection:
            return self._row(connection) or Budget(rate=self._quota)

    def _locked(self, connection: Connection) -> Budget:
        """The row, ours until the transaction ends; made where there is none."""
        found = self._row(connection, lock=True)
        if found is None:
            fresh = {"api": self._api, **asdict(Budget(rate=self._quota))}
            connection.execute(self._db.insert_new(budgets).values(fresh))
            found = self._row(connection, lock=True)
        return found or Budget(rate=self._quota)

    def _row(self, connection: Connection, *, lock: bool = False) -> Budget | None:
        asked = select(budgets).where(budgets.c.api == self._api)
        row = connection.execute(asked.with_for_update() if lock else asked).mappings().first()
        return None if row is None else Budget(**{name: row[name] for name in Budget.__slots__})

    def _now(self, connection: Connection) -> float:
        if self._clock is not None:
            return self._clock()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    def _store(self, connection: Connection, budget: Budget) -> None:
        mine = budgets.c.api == self._api
        connection.execute(update(budgets).where(mine).values(asdict(budget)))
