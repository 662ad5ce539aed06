"""What the demo tells at its end: which contacts changed and how, and what was left alone, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo import customers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from demo.customers import Row

Change = tuple[str, str, str, str]
_HEADINGS: Change = ("contact", "field", "before", "after")


def changes(before: Iterable[Row], after: Iterable[Row]) -> list[Change]:
    """Return every field of every contact whose value is another one than before."""
    then = {contact["id"]: contact for contact in before}
    return [
        (contact["email"], field, _shown(then[contact["id"]].get(field)), _shown(contact.get(field)))
        for contact in after
        for field in customers.COLUMNS
        if (contact.get(field) or "") != (then[contact["id"]].get(field) or "")
    ]


def report(rows: list[Row], before: list[Row], after: list[Row], updates_received: int) -> Iterator[str]:
    """
    Yield the lines of the closing report.

    :param rows: what the warehouse holds.
    :param before: Envoke's contacts before the runs, and ``after`` them.
    :param updates_received: how many updates the stand-in was sent.
    """
    changed = changes(before, after)
    emails = {change[0] for change in changed}
    yield "\nWhat changed in Envoke:\n"
    yield from _table([_HEADINGS, *changed])
    yield "\nWhat did not change, or not as it stands in the warehouse:\n"
    yield from _table(list(_exceptions(rows, before, after)))
    yield (
        f"\n{updates_received} requests to update for {len(emails)} contacts that changed; "
        f"the second night sent none. {len(after) - len(emails)} others were not touched."
    )


def _exceptions(rows: list[Row], before: list[Row], after: list[Row]) -> Iterator[tuple[str, ...]]:
    then, now = _by_email(before), _by_email(after)
    for row in rows:
        contact = now.get(row["email"])
        if contact is None:
            yield row["email"], "not in Envoke: skipped, and not created"
        elif row["updated_at"] >= customers.CHANGED_SINCE:
            yield from _differences(row, then[row["email"]], contact)


def _differences(row: Row, then: Row, now: Row) -> Iterator[tuple[str, ...]]:
    email = row["email"]
    for field in ("first_name", "last_name", "company", "phone", "city"):
        kept, wanted = now.get(field), row[field]
        if wanted is None and kept:
            yield email, f"{field} is null in the warehouse: stays {kept}"
        elif wanted is not None and kept != wanted and str(wanted).startswith(str(kept)):
            yield email, f"{field} {wanted} is too long: cut to {len(str(kept))} characters"
    if then["consent_status"] == now["consent_status"] == "Revoked":
        yield email, "consent_status is not in the query: stays Revoked"


def _by_email(contacts: Iterable[Row]) -> dict[str, Row]:
    return {contact["email"]: contact for contact in contacts}


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _table(lines: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
