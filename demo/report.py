"""What the demo prints at its end: which contacts changed and how, which did not, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support import customers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.support.customers import Row

_HEADINGS = ("contact", "field", "before", "after")


def report_lines(rows: list[Row], before: list[Row], after: list[Row], updates_received: int) -> Iterator[str]:
    """
    Yield the lines of the report.

    :param rows: the rows of the warehouse.
    :param before: Envoke's contacts before the runs.
    :param after: Envoke's contacts after the runs.
    :param updates_received: how many updates the sandbox has received.
    """
    changed = customers.changes(before, after)
    emails = {email for email, *_ in changed}
    yield "\nWhat changed in Envoke:\n"
    yield from _table([_HEADINGS, *changed])
    yield "\nWhat did not change, or differs from the warehouse:\n"
    yield from _table(list(_exceptions(rows, before, after)))
    yield (
        f"\n{updates_received} update requests for {len(emails)} changed contacts; the second night sent none. "
        f"The other {len(after) - len(emails)} contacts were not touched."
    )


def _exceptions(rows: list[Row], before: list[Row], after: list[Row]) -> Iterator[tuple[str, ...]]:
    old, new = _by_email(before), _by_email(after)
    for row in rows:
        contact = new.get(row["email"])
        if contact is None:
            yield row["email"], "not in Envoke: skipped, and not created"
        elif row["updated_at"] >= customers.CHANGED_SINCE:
            yield from _differences(row, old[row["email"]], contact)


def _differences(row: Row, old: Row, new: Row) -> Iterator[tuple[str, ...]]:
    email = row["email"]
    for field in ("first_name", "last_name", "company", "phone", "city"):
        kept, desired = new.get(field), row[field]
        if desired is None and kept:
            yield email, f"{field} is null in the warehouse: stays {kept}"
        elif desired is not None and kept != desired and str(desired).startswith(str(kept)):
            yield email, f"{field} {desired} is too long: cut to {len(str(kept))} characters"
    if old["consent_status"] == new["consent_status"] == "Revoked":
        yield email, "consent_status is not in the query: stays Revoked"


def _by_email(contacts: Iterable[Row]) -> dict[str, Row]:
    return {contact["email"]: contact for contact in contacts}


def _table(lines: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
