"""Rows in: each becomes a desired contact or has its outcome at once; duplicates are found here."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.envoke.requests import PAGE_SIZE
from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.payload.build import build_payload
from airflow_provider_envoke.sync.compare import Decision, DesiredContact, match_key, reject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_envoke.sync.options import SyncOptions

#: Rows of a batch: one fewer than a page holds, because a page that is not full is the last one.
BATCH_ROWS = PAGE_SIZE - 1


@dataclass(slots=True)
class Batch:
    """
    Rows that go through the run together: ``desired`` to be compared, no key twice, and ``decided`` already.

    :param needs_drain: whether all earlier rows must be finished first, because one of them has the same key.
    """

    desired: list[DesiredContact] = field(default_factory=list)
    decided: list[tuple[DesiredContact, Decision]] = field(default_factory=list)
    needs_drain: bool = False


class RowReader:
    """
    Turns rows into batches, in their order.

    Its state: the number of the last row, and which row had each key and each email address first.
    """

    def __init__(self, options: SyncOptions) -> None:
        self._options = options
        self._row = 0
        self._keys = FirstSeen()
        self._emails = FirstSeen()
        self._watches_emails = options.shared_email_guard and options.keyfield != "email"

    def close(self) -> None:
        """Delete the temporary files."""
        self._keys.close()
        self._emails.close()

    def batches(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Batch]:
        """Yield the rows in batches. A new batch begins where a key of this batch occurs again."""
        batch = Batch()
        for row in rows:
            desired, decision, repeats = self._parse_row(row)
            if repeats and any(other.key == desired.key for other in batch.desired):
                yield batch
                batch = Batch()
            if decision is not None:
                batch.decided.append((desired, decision))
            else:
                batch.desired.append(desired)
                batch.needs_drain |= repeats
        if batch.desired or batch.decided:
            yield batch

    def _parse_row(self, row: Mapping[str, Any]) -> tuple[DesiredContact, Decision | None, bool]:
        """Return the row, its outcome if it is known, and whether an earlier row has the same key."""
        self._row += 1
        keyfield = self._options.keyfield
        try:
            rules = self._options.rules
            payload = build_payload(self._options.fields.apply(row, rules.extra_fields), rules)
        except Exception as error:  # a driver's own types may raise anything: one row does not end the run
            return DesiredContact(self._row, _shown_key(row, self._options), {}), _rejected(error), False
        key = match_key(keyfield, payload.get(keyfield))
        desired = DesiredContact(self._row, key, payload)
        if not key:
            return desired, reject(_missing_key(keyfield)), False
        decision, repeats = self._check_key(desired)
        return desired, decision or self._check_email(desired), repeats

    def _check_key(self, desired: DesiredContact) -> tuple[Decision | None, bool]:
        digest = _payload_digest({**desired.payload, self._options.keyfield: desired.key})
        first = self._keys.add(desired.key, desired.row, digest)
        if first is None:
            return None, False
        if self._options.on_duplicate == "last":
            return None, True
        if first.digest == digest:
            return Decision("skip", reason="duplicate_row", message=f"the same as row {first.row}"), False
        message = (
            f"row {first.row} has the same key and other values; make the key unique in the query, or set "
            "on_duplicate='last' to apply later rows too"
        )
        return reject(Violation(self._options.keyfield, "duplicate_key", message)), False

    def _check_email(self, desired: DesiredContact) -> Decision | None:
        email = desired.payload.get("email")
        if not (email and self._watches_emails):
            return None
        owner = digest_of(desired.key)
        first = self._emails.add(email.lower(), desired.row, owner)
        if first is None or first.digest == owner:
            return None
        return reject(shared_email(f"row {first.row} has the same email address"))


class Seen(NamedTuple):
    """Who had a key first: the number of the row, and a digest of what it stands for."""

    row: int
    digest: bytes


class FirstSeen:
    """
    Who had each key first, in a temporary file: memory stays flat for tables of any length.

    Its state is one SQLite table. Keys are hashed, so the file holds no personal data. It is used by one thread at
    a time.
    """

    def __init__(self) -> None:
        self._db = temporary_database(
            "CREATE TABLE seen (key BLOB PRIMARY KEY, row INTEGER, digest BLOB) WITHOUT ROWID"
        )
        self._db.execute("BEGIN")

    def add(self, key: str, row: int, digest: bytes) -> Seen | None:
        """Add a key. If it is there already, return who had it first; that stays."""
        hashed = digest_of(key)
        done = self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (hashed, row, digest))
        return None if done.rowcount == 1 else self._find(hashed)

    def get(self, key: str) -> Seen | None:
        """Return who had a key first."""
        return self._find(digest_of(key))

    def close(self) -> None:
        """Close the database, which deletes its file."""
        self._db.close()

    def _find(self, hashed: bytes) -> Seen | None:
        found = self._db.execute("SELECT row, digest FROM seen WHERE key = ?", (hashed,)).fetchone()
        return Seen(*found) if found else None


def temporary_database(create_table: str) -> sqlite3.Connection:
    """Open a database in an anonymous temporary file, which the operating system deletes."""
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
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


def shared_email(who: str) -> Violation:
    """Return the violation of a row whose email address belongs to somebody else."""
    return Violation(
        "email",
        "shared_email",
        f"{who}, and contacts that share an address get every message twice; correct the row",
    )


def _payload_digest(payload: Mapping[str, Any]) -> bytes:
    """Hash a payload without regard to the order of its fields. It is valid in this process only."""
    members = frozenset(
        (name, frozenset(value.items()) if isinstance(value, dict) else value) for name, value in payload.items()
    )
    return hash(members).to_bytes(8, "little", signed=True)


def _missing_key(keyfield: str) -> Violation:
    return Violation(
        keyfield,
        "missing_key",
        f"the row has no value in {keyfield}, its key; fill that column in the query, or choose another keyfield",
    )


def _rejected(error: Exception) -> Decision:
    if not isinstance(error, EnvokeDataError):
        message = f"a value of the row cannot be read ({type(error).__name__}); convert it to text in the query"
        return reject(Violation("", "invalid_value", message))
    field_name, reason, _ = error.violations[0] if error.violations else ("", "missing_column", "")
    return reject(Violation(field_name, reason, str(error)))


def _shown_key(row: Mapping[str, Any], options: SyncOptions) -> str:
    """Return a rejected row's key as far as it can be read, for the rejects file only."""
    try:
        fields = options.fields.apply(row, options.rules.extra_fields)
        return match_key(options.keyfield, fields.get(options.keyfield))[:80]
    except Exception:
        return ""
