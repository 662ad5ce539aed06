"""Rows in: each becomes a desired contact or has its outcome at once; duplicates are found here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.fields import match_key
from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.envoke.requests import PAGE_SIZE
from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.payload.build import build_payload, spelled_key
from airflow_provider_envoke.sync.compare import Decision, DesiredContact, reject
from airflow_provider_envoke.sync.duplicates import FirstSeen, Owners

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

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


class TableScan:
    """
    What all rows say together, found before the first request: so the outcome does not depend on their order.

    Its state: the keys that several rows have, the email addresses that rows with different keys have, and who
    would get such an address, as far as it is known, and the addresses of which it is not.
    """

    def __init__(self, options: SyncOptions) -> None:
        self._options = options
        self._counts_keys = options.on_duplicate == "reject"
        self.keys = Owners()
        self.emails = Owners()
        self.new_holders = Owners()
        self.uncertain_emails: set[str] = set()

    @property
    def needed(self) -> bool:
        """Whether the options ask for something that only all rows together say."""
        return self._counts_keys or self._options.guards_shared_emails

    def scan_row(self, number: int, row: Mapping[str, Any]) -> None:
        """Take a row into account; ``number`` counts from 1."""
        desired, decision = parse_row(number, row, self._options)
        if self._counts_keys and desired.key:
            self.keys.add(desired.key, number, str(number))
        if decision is None and self._options.guards_shared_emails and desired.payload.get("email"):
            self.emails.add(match_key("email", desired.payload["email"]), number, desired.key)

    def claim_email(self, desired: DesiredContact, *, for_sure: bool = True) -> None:
        """Note that a row would give its email address to its contact, or may, if that could not be found out."""
        email = match_key("email", desired.payload["email"])
        self.new_holders.add(email, desired.row, desired.key)
        if not for_sure:
            self.uncertain_emails.add(email)

    def shares_email(self, desired: DesiredContact) -> bool:
        """Whether a row with another key has the row's email address."""
        email = match_key("email", desired.payload.get("email"))
        return self.emails.any_shared and self.emails.other_row(email, desired.row) is not None

    def close(self) -> None:
        """Delete the temporary files."""
        for owners in (self.keys, self.emails, self.new_holders):
            owners.close()


class RowReader:
    """
    Turns rows into batches, in their order.

    Its state: the number of the last row, and which row had each key first.

    :param only: yields only the rows for which it returns true, and none that is decided.
    """

    def __init__(
        self, options: SyncOptions, scan: TableScan, only: Callable[[DesiredContact], bool] | None = None
    ) -> None:
        self._options = options
        self._scan = scan
        self._only = only
        self._row = 0
        self._keys = FirstSeen()

    def close(self) -> None:
        """Delete the temporary file."""
        self._keys.close()

    def batches(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Batch]:
        """Yield the rows in batches. A new batch begins where a key of this batch occurs again."""
        batch = Batch()
        for row in rows:
            desired, decision, repeats = self._read_row(row)
            if self._only is not None and (decision is not None or not self._only(desired)):
                continue
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

    def _read_row(self, row: Mapping[str, Any]) -> tuple[DesiredContact, Decision | None, bool]:
        """Return the row, its outcome if it is known, and whether an earlier row has the same key."""
        self._row += 1
        desired, decision = parse_row(self._row, row, self._options)
        if decision is not None:
            return desired, decision, False
        if self._options.on_duplicate == "reject":
            return desired, self._reject_shared_key(desired), False
        digest = _payload_digest({**desired.payload, self._options.keyfield: desired.key})
        first = self._keys.add(desired.key, desired.row, digest)
        if first is None or self._options.on_duplicate == "last":
            return desired, None, first is not None
        if first.digest == digest:
            message = f"the same as row {first.row}"
            return desired, Decision("skip", reason="duplicate_row", message=message), False
        message = (
            f"row {first.row} has the same key and other values; make the key unique in the query, or set "
            "on_duplicate='last' to apply later rows too"
        )
        return desired, self._duplicate_key(message), False

    def _reject_shared_key(self, desired: DesiredContact) -> Decision | None:
        other = self._scan.keys.other_row(desired.key, desired.row)
        message = f"row {other} has the same key; make the key unique in the query, or choose another on_duplicate"
        return None if other is None else self._duplicate_key(message)

    def _duplicate_key(self, message: str) -> Decision:
        return reject(Violation(self._options.keyfield, "duplicate_key", message))


def parse_row(number: int, row: Mapping[str, Any], options: SyncOptions) -> tuple[DesiredContact, Decision | None]:
    """Return the contact that a row asks for, or its rejection if the row alone says that it cannot be sent."""
    reference: Mapping[str, str] = {}
    try:
        reference = options.fields.reference_of(row)
        fields = options.fields.apply(row, options.rules.extra_fields)
        payload = build_payload(fields, options.rules)
    except Exception as error:  # a driver's own types may raise anything: one row does not end the run
        return DesiredContact(number, _shown_key(row, options), {}, reference=reference), _rejected(error)
    key = match_key(options.keyfield, payload.get(options.keyfield))
    desired = DesiredContact(number, key, payload, spelled_key(options.keyfield, fields), reference)
    return desired, None if key else reject(_missing_key(options.keyfield))


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
