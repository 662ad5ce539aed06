"""A session of PostgreSQL with a query that takes minutes, and what the server says about it."""

from __future__ import annotations

import uuid
from typing import Any

from tests.support.processes import wait_for

_SLOW = "SELECT 'p0@example.com' AS email, pg_sleep(300)::text AS city"
_WAIT_S = 60.0


class SlowSession:
    """
    Finds a database session by a name of its own: a cursor's statements are not shown as they were written.

    :param cursor: of another session.
    """

    def __init__(self, cursor: Any) -> None:
        self._name = f"envoke-{uuid.uuid4().hex}"
        self._cursor = cursor
        self.statements = [f"SET application_name = '{self._name}'", _SLOW]

    def is_running(self) -> bool:
        """Whether its query is running in the database."""
        self._cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event = 'PgSleep'",
            [self._name],
        )
        return bool(self._cursor.fetchone()[0])

    def exists(self) -> bool:
        self._cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [self._name])
        return bool(self._cursor.fetchone()[0])

    def end(self) -> None:
        self._cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [self._name]
        )

    def wait_until_gone(self) -> None:
        wait_for("the session to end", lambda: not self.exists(), _WAIT_S)
