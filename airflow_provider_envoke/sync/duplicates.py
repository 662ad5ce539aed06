"""Which keys were seen before, or belong to several rows, in temporary files: memory stays flat for any table."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_envoke.exceptions import EnvokeSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Seen(NamedTuple):
    """Who had a key first: the number of the row, and a digest of what it stands for."""

    row: int
    digest: bytes


class _HashedKeys:
    """
    A table in a temporary file. Keys are hashed, so the file holds no personal data.

    Its state is one SQLite table. It is used by one thread at a time.
    """

    def __init__(self, create_table: str) -> None:
        self._db = temporary_database(create_table)
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Close the database, which deletes its file."""
        self._db.close()


class FirstSeen(_HashedKeys):
    """Who had each key first."""

    def __init__(self) -> None:
        super().__init__("CREATE TABLE seen (key BLOB PRIMARY KEY, row INTEGER, digest BLOB) WITHOUT ROWID")

    def add(self, key: str, row: int, digest: bytes) -> Seen | None:
        """Add a key. If it is there already, return who had it first; that stays."""
        hashed = digest_of(key)
        done = self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (hashed, row, digest))
        return None if done.rowcount == 1 else self._find(hashed)

    def get(self, key: str) -> Seen | None:
        """Return who had a key first."""
        return self._find(digest_of(key))

    def _find(self, hashed: bytes) -> Seen | None:
        found = self._db.execute("SELECT row, digest FROM seen WHERE key = ?", (hashed,)).fetchone()
        return Seen(*found) if found else None


class Owners(_HashedKeys):
    """
    Which keys several owners have, whatever the order in which they are added.

    Its state is the table, and whether any key has several owners.
    """

    def __init__(self) -> None:
        super().__init__(
            "CREATE TABLE owners (key BLOB PRIMARY KEY, owner BLOB, first INTEGER, last INTEGER, shared INTEGER) "
            "WITHOUT ROWID"
        )
        self.any_shared = False

    def add(self, key: str, row: int, owner: str) -> None:
        """Add an owner of a key, and the row that says so."""
        hashed, who = digest_of(key), digest_of(owner)
        added = self._db.execute("INSERT OR IGNORE INTO owners VALUES (?, ?, ?, ?, 0)", (hashed, who, row, row))
        if added.rowcount == 1:
            return
        self._db.execute(
            "UPDATE owners SET shared = shared OR owner <> ?, first = min(first, ?), last = max(last, ?) "
            "WHERE key = ?",
            (who, row, row, hashed),
        )
        self.any_shared = self.any_shared or self.other_row(key, row) is not None

    def other_row(self, key: str, row: int) -> int | None:
        """Return another row with this key, if several owners have it: the first one, or for that one the last."""
        found = self._db.execute(
            "SELECT first, last FROM owners WHERE key = ? AND shared", (digest_of(key),)
        ).fetchone()
        if found is None:
            return None
        first, last = found
        return int(first if first != row else last)


class _TemporaryDatabase(sqlite3.Connection):
    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        with _failing_to_write():
            return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        with _failing_to_write():
            return super().executemany(*arguments)


@contextmanager
def _failing_to_write() -> Iterator[None]:
    reason = ""
    try:
        yield
    except sqlite3.Error as error:
        reason = str(error).rstrip(".")
    if reason:
        raise EnvokeSyncError(
            f"A temporary file of the run in {tempfile.gettempdir()} could not be used: {reason}. Free space "
            "there, or set the environment variable TMPDIR to another folder, and run again, which is safe."
        )


def temporary_database(create_table: str) -> sqlite3.Connection:
    """
    Open a database in an anonymous temporary file, which the operating system deletes.

    Its methods raise EnvokeSyncError, for example if the disk is full.
    """
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False, factory=_TemporaryDatabase)
    for statement in (
        "PRAGMA journal_mode=OFF",
        "PRAGMA synchronous=OFF",
        "PRAGMA cache_size=-2048",
        create_table,
    ):
        database.execute(statement)
    return database


def digest_of(text: str) -> bytes:
    """Hash a text to 16 bytes."""
    return blake2b(text.encode(), digest_size=16).digest()
