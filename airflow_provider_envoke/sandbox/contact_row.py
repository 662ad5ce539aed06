"""One contact's row on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.changes import DELETED, FieldChange
from airflow_provider_envoke.sandbox.documented import TAG_FIELDS, WITHDRAWN_STATUSES, allows_sending
from airflow_provider_envoke.sandbox.markup import line, shorten, show, span
from airflow_provider_envoke.sandbox.times import show_time

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.changes import ContactChange
    from airflow_provider_envoke.sandbox.store import Contact

COLUMNS = (
    ("id, remote id", "w10"),
    ("contact", "w16"),
    ("other fields", "w18"),
    ("consent", "w12"),
    ("tags", "w14"),
    ("custom fields", "w12"),
    ("since the start", "w18"),
)

# The fields with a place of their own; all others are listed if they have a value.
_PLACED = frozenset(
    {
        "id",
        "external_id",
        "remote_id",
        "email",
        "first_name",
        "last_name",
        "date_created",
        "custom_fields",
        *TAG_FIELDS,
    }
    | {"consent_status", "consent_description"}
)
# Statuses that are an objection, not just no permission.
_REFUSED = frozenset(status.lower() for status in WITHDRAWN_STATUSES)


def contact_row(change: ContactChange, now: float) -> list[str]:
    """Return the cells of a contact's row."""
    contact = change.contact
    name = " ".join(str(contact[part]) for part in ("first_name", "last_name") if contact.get(part))
    others = [
        f"{span('dim', show(field))} {show(value)}" for field, value in contact.items() if _is_listed(field, value)
    ]
    return [
        line("strong", show(contact["id"])) + _optional("dim", contact.get("remote_id")),
        line("strong", show(contact.get("email"))) + _optional("", name) + _created(contact),
        "<br>".join(shorten(others)),
        _consent(contact),
        "".join(shorten([span("tag", show(tag)) for group in TAG_FIELDS for tag in contact[group]])),
        "<br>".join(
            shorten(
                [f"{span('dim', show(name))} {show(value)}" for name, value in contact["custom_fields"].items()]
            )
        ),
        _change(change, now),
    ]


def _is_listed(field: str, value: Any) -> bool:
    return field not in _PLACED and value not in (None, "", [], {})


def _optional(css: str, value: Any) -> str:
    return line(css, show(value)) if value else ""


def _created(contact: Contact) -> str:
    return line("dim", f"created {show(contact['date_created'])}")


def _consent(contact: Contact) -> str:
    status = str(contact["consent_status"])
    css = "sending" if allows_sending(status) else "refused" if status.lower() in _REFUSED else ""
    return span(f"pill {css}".strip(), show(status)) + _optional("dim", contact.get("consent_description"))


def _change(change: ContactChange, now: float) -> str:
    if change.time is None:
        return ""
    kind = span(f"pill {change.kind}", change.kind) if change.kind else span("dim", "changed and changed back")
    fields = shorten([_field_change(field) for field in change.fields()])
    was = line("dim", "as it was at the start") if change.kind == DELETED else ""
    return f"{kind} {show_time(change.time, now)}{was}" + "".join(line("", field) for field in fields)


def _field_change(change: FieldChange) -> str:
    old, new = _value(change.old), _value(change.new)
    return f"{span('dim', show(change.field))} {old if _is_empty(change.old) else span('gone', old)} → {new}"


def _value(value: Any) -> str:
    return span("dim", "empty") if _is_empty(value) else show(value, 80)


def _is_empty(value: Any) -> bool:
    return value in (None, "")
