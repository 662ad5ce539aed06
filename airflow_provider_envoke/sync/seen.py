"""What earlier rows of a run have claimed, in a temporary file: memory stays flat however long the table is."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Claim(NamedTuple):
    """Who claimed a key first: the row's number and a digest of what it stands for."""

    row: int
    digest: bytes


class Claims:
    """
    Keys and who claimed them first.

    Its state is one table of SQLite in an anonymous temporary file, which the operating system removes; keys are
    hashed, so no personal data is written there. It is used by one thread at a time.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA cache_size=-2048")  # KiB
        self._db.execute("CREATE TABLE claims (key BLOB PRIMARY KEY, row INTEGER, digest BLOB) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def claim(self, key: str, row: int, digest: bytes) -> Claim | None:
        """Claim a key. Return the earlier claim if there is one: it stands."""
        hashed = digest_of(key)
        done = self._db.execute("INSERT OR IGNORE INTO claims VALUES (?, ?, ?)", (hashed, row, digest))
        if done.rowcount == 1:
            return None
        found = self._db.execute("SELECT row, digest FROM claims WHERE key = ?", (hashed,)).fetchone()
        return Claim(*found)

    def get(self, key: str) -> Claim | None:
        """Return who claimed a key."""
        found = self._db.execute("SELECT row, digest FROM claims WHERE key = ?", (digest_of(key),)).fetchone()
        return Claim(*found) if found else None

    def close(self) -> None:
        """Close the database: its file is gone."""
        self._db.close()


def digest_of(text: str) -> bytes:
    """Hash a text to 16 bytes."""
    return blake2b(text.encode(), digest_size=16).digest()


def payload_digest(payload: Mapping[str, Any]) -> bytes:
    """Hash what a row asks for, whatever the order of its fields; it holds for this process alone."""
    members = frozenset(
        (name, frozenset(value.items()) if isinstance(value, dict) else value) for name, value in payload.items()
    )
    return hash(members).to_bytes(8, "little", signed=True)
