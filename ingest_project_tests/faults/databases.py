"""Databases of one PostgreSQL server for single tests: made, copied, had back, dropped."""

from __future__ import annotations

import uuid
from contextlib import closing

import psycopg2


class DatabaseVault:
    """A database and its copies, all made and dropped here."""

    def __init__(self, server: str) -> None:
        self._server, self._name, self._copies = server, f"kills_{uuid.uuid4().hex[:12]}", set[str]()
        self._run(f"CREATE DATABASE {self._name}")

    @property
    def url(self) -> str:
        return f"{self._server.rpartition('/')[0]}/{self._name}"

    def keep(self, stage: str) -> None:
        copy = f"{self._name}_{stage}"
        self._run(f"CREATE DATABASE {copy} TEMPLATE {self._name}")
        self._copies.add(copy)

    def give_back(self, stage: str) -> None:
        """FORCE ends the sessions that a killed process has left."""
        self._run(f"DROP DATABASE {self._name} WITH (FORCE)")
        self._run(f"CREATE DATABASE {self._name} TEMPLATE {self._name}_{stage}")

    def drop(self) -> None:
        for name in (self._name, *self._copies):
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, command: str) -> None:
        with closing(psycopg2.connect(self._server)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(command)
