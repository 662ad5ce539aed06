"""What the account holds after a run, as a model of a few lines: one row after the other."""

from __future__ import annotations

from collections import Counter
from typing import Any

SENDING = ("Express", "Implied - Inquiry")
WITHDRAWN = ("Revoked", "Envoke Spam Reported")


def reopens(row: dict[str, Any], contact: dict[str, Any]) -> bool:
    """Whether a row has a consent for a person who has withdrawn it."""
    return row.get("consent_status") in SENDING and contact.get("consent_status") in WITHDRAWN


def written(contact: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """
    A contact after a row: nulls say nothing, custom fields and tags are merged.

    Of a withdrawn contact, neither the consent nor what was recorded about it changes; another withdrawal does.
    """
    if contact.get("consent_status") in WITHDRAWN:
        kept = {"consent_description", *(("consent_status",) if reopens(row, contact) else ())}
        row = {name: value for name, value in row.items() if name not in kept}
    after = {**contact, **{name: value for name, value in row.items() if isinstance(value, str)}}
    plans = {name: value for name, value in row.get("custom_fields", {}).items() if value is not None}
    after["custom_fields"] = {**contact.get("custom_fields", {}), **plans}
    states = row.get("interests", {})
    kept = {name for name in contact.get("interests", []) if states.get(name) != "Unset"}
    after["interests"] = sorted(kept | {name for name, state in states.items() if state == "Set"})
    return after


def model_by_email(
    contacts: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    on_duplicate: str,
    on_missing: str,
    on_withdrawn: str = "keep",
) -> dict[str, dict[str, Any]]:
    state = {contact["email"]: contact for contact in contacts}
    seen = set()
    for row in rows:
        key = row["email"].lower()
        if (on_duplicate == "first" and key in seen) or (key not in state and on_missing == "reject"):
            seen.add(key)
            continue
        seen.add(key)
        current = state.get(key, {"consent_status": "Not Provided"})
        if on_withdrawn == "keep" or not reopens(row, current):
            state[key] = written(current, {**row, "email": current.get("email", row["email"])})
    return state


def model_by_remote_id(
    contacts: list[dict[str, Any]], rows: list[dict[str, Any]], on_missing: str, on_withdrawn: str = "keep"
) -> dict[str, dict[str, Any]]:
    """An address that two rows would give to their contacts goes to neither, whatever the order of the rows."""
    state = {contact["remote_id"]: contact for contact in contacts}
    held = {contact["email"]: contact["remote_id"] for contact in contacts}
    first_rows = {row["remote_id"]: row for row in reversed(rows)}
    allowed = []
    for key, row in first_rows.items():
        current = state.get(key, {"consent_status": "Not Provided"})
        refused = on_withdrawn == "reject" and reopens(row, current)
        missing = key not in state and on_missing != "create"
        if not (refused or missing or held.get(row["email"], key) != key):
            allowed.append((key, row, current))
    gets = Counter(row["email"] for _, row, current in allowed if row["email"] != current.get("email"))
    for key, row, current in allowed:
        if row["email"] == current.get("email") or gets[row["email"]] == 1:
            state[key] = written(current, row)
    return state


def comparable(contact: dict[str, Any]) -> dict[str, Any]:
    values = {name: contact.get(name) or "" for name in ("remote_id", "city", "consent_description", "feedback")}
    values["email"] = (contact.get("email") or "").lower()  # whose case says nothing
    values["consent_status"] = contact.get("consent_status") or "Not Provided"
    values["custom_fields"] = contact.get("custom_fields") or {}
    values["interests"] = sorted(contact.get("interests") or [])
    return values


def by(key: str, contacts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {contact[key].lower(): comparable(contact) for contact in contacts}
