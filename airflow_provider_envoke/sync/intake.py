"""Rows come in: each becomes a wanted contact, or has its outcome already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core.fields import Violation
from airflow_provider_envoke.core.payload import build_payload
from airflow_provider_envoke.core.plan import Decision, Wanted, match_key, reject
from airflow_provider_envoke.core.protocol import PAGE_SIZE
from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.sync.resume import RowsChangedError, RowsDigest
from airflow_provider_envoke.sync.seen import Claims, digest_of, payload_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_envoke.core.options import SyncOptions
    from airflow_provider_envoke.sync.resume import Checkpoint

#: Rows that are read and compared together: one fewer than a page holds, for a page that is not full is the last.
BATCH_ROWS = PAGE_SIZE - 1

_ALREADY_WRITTEN = Decision("skip", reason="already_written", message="an earlier try has written this row")


@dataclass(slots=True)
class Batch:
    """
    Rows that go through the run together.

    :param wanted: rows to be compared, each key once.
    :param decided: rows whose outcome is known without asking Envoke.
    :param after_all: whether every earlier row has to be finished first, because one of them has the same key.
    :param last_row: number of the last row.
    :param digest: of all rows up to the last one, if the run keeps it.
    :param done: numbers of the wanted rows that have their outcome.
    :param again: numbers of the wanted rows that were not written, and may be in another run.
    :param finished: whether all of them have their outcome, and the run was not stopped before.
    """

    wanted: list[Wanted] = field(default_factory=list)
    decided: list[tuple[Wanted, Decision]] = field(default_factory=list)
    after_all: bool = False
    last_row: int = 0
    digest: str = ""
    done: set[int] = field(default_factory=set)
    again: list[int] = field(default_factory=list)
    finished: bool = False

    def forget_rows(self) -> None:
        """Give the memory back: a batch may have to wait for the ones before it."""
        self.wanted.clear()
        self.decided.clear()
        self.done.clear()

    def __len__(self) -> int:
        return len(self.wanted) + len(self.decided)


class Intake:
    """
    Turns rows into batches; duplicates and shared addresses are found here, in the order of the rows.

    Its state: the number of the last row, a digest of the rows so far, and which keys and addresses earlier rows
    have claimed.

    :param options: the choices of the run.
    :param resume_from: how far an earlier run has come with the same rows.
    :param keep_digest: whether batches carry the digest of the rows so far.
    """

    def __init__(
        self, options: SyncOptions, resume_from: Checkpoint | None = None, *, keep_digest: bool = False
    ) -> None:
        self._options = options
        self._resume_from = resume_from
        self._digest = RowsDigest() if keep_digest or resume_from is not None else None
        self._row = 0
        self._keys = Claims()
        self._emails = Claims()
        self._batch = Batch()

    def close(self) -> None:
        """Drop the claims."""
        self._keys.close()
        self._emails.close()

    def batches(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Batch]:
        """
        Yield the rows in batches, all of them: nothing is kept back for the next call.

        :raises RowsChangedError: if the rows are not those of the earlier run.
        """
        for row in rows:
            wanted, decision, repeats = self._judge(row)
            if repeats and any(other.key == wanted.key for other in self._batch.wanted):
                yield self._next_batch()
            if self._digest is not None:
                decision = self._follow(wanted, decision, self._digest)
            if decision is not None:
                self._batch.decided.append((wanted, decision))
            else:
                self._batch.wanted.append(wanted)
                self._batch.after_all |= repeats
            self._batch.last_row = wanted.row
        if len(self._batch):
            yield self._next_batch()

    def stop_resuming(self) -> None:
        """Take the rows that are still to come for what they are: none of them is written any more."""
        self._resume_from = None

    def check_resumed(self) -> None:
        """
        Check, after the last row, that all rows of the earlier run were there.

        :raises RowsChangedError: if there were fewer.
        """
        if self._resume_from is not None and self._row < self._resume_from.row:
            raise RowsChangedError

    def _next_batch(self) -> Batch:
        full, self._batch = self._batch, Batch()
        return full

    def _follow(self, wanted: Wanted, decision: Decision | None, digest: RowsDigest) -> Decision | None:
        """Keep the digest of what is asked for, and leave out what the earlier run has written."""
        if decision is None:
            digest.add(wanted)
        self._batch.digest = str(digest)
        earlier = self._resume_from
        if earlier is None:
            return decision
        if wanted.row == earlier.row and self._batch.digest != earlier.digest:
            raise RowsChangedError
        return _ALREADY_WRITTEN if decision is None and earlier.covers(wanted.row) else decision

    def _judge(self, row: Mapping[str, Any]) -> tuple[Wanted, Decision | None, bool]:
        """Return the row, what is decided about it already, and whether it repeats an earlier row's key."""
        self._row += 1
        keyfield = self._options.keyfield
        try:
            payload = build_payload(self._options.fields.apply(row), self._options.rules)
        except Exception as error:  # whatever a driver's own types do: one row does not end the run
            return Wanted(self._row, _shown_key(row, self._options), {}), _rejected(error), False
        key = match_key(keyfield, payload.get(keyfield))
        wanted = Wanted(self._row, key, payload)
        if not key:
            return wanted, reject(_missing_key(keyfield)), False
        decision, repeats = self._claim_key(wanted)
        return wanted, decision or self._claim_email(wanted), repeats

    def _claim_key(self, wanted: Wanted) -> tuple[Decision | None, bool]:
        digest = payload_digest({**wanted.payload, self._options.keyfield: wanted.key})
        earlier = self._keys.claim(wanted.key, wanted.row, digest)
        if earlier is None:
            return None, False
        if self._options.on_duplicate == "last":
            return None, True
        if earlier.digest == digest:
            message = f"the same as row {earlier.row}"
            return Decision("skip", reason="duplicate_row", message=message), False
        message = (
            f"row {earlier.row} has the same key and other values; make the key unique in the query, or let later "
            "rows win with on_duplicate='last'"
        )
        return reject(Violation(self._options.keyfield, "duplicate_key", message)), False

    def _claim_email(self, wanted: Wanted) -> Decision | None:
        email = wanted.payload.get("email")
        if not email or not self._options.guards_shared_email:
            return None
        owner = digest_of(wanted.key)
        earlier = self._emails.claim(email.lower(), wanted.row, owner)
        if earlier is None or earlier.digest == owner:
            return None
        return reject(shared_email(f"row {earlier.row} has the same address"))


def _missing_key(keyfield: str) -> Violation:
    return Violation(
        keyfield,
        "missing_key",
        f"the row has no value in {keyfield}, by which its contact is to be found; fill that column in the query, "
        "or choose another keyfield",
    )


def shared_email(who: str) -> Violation:
    """Say that a row's address belongs to somebody else."""
    return Violation(
        "email",
        "shared_email",
        f"{who}, and people who share an address get every message twice; correct the row, or switch "
        "shared_email_guard off",
    )


def _rejected(error: Exception) -> Decision:
    if not isinstance(error, EnvokeDataError):
        message = f"a value of the row cannot be read ({type(error).__name__}); turn it into text in the query"
        return reject(Violation("", "invalid_value", message))
    first = error.violations[0] if error.violations else Violation("", "missing_column", "")
    return reject(Violation(first.field, first.reason, str(error)))


def _shown_key(row: Mapping[str, Any], options: SyncOptions) -> str:
    """Return a rejected row's key as well as it can be told, for the rejects file alone."""
    try:
        value = options.fields.apply(row).get(options.keyfield)
        return match_key(options.keyfield, value)[:80]
    except Exception:
        return ""
