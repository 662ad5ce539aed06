"""Contacts and consents that many tests use."""

from __future__ import annotations

from typing import Any

EXPRESS = {"consent_status": "Express", "consent_description": "Web form"}
REVOKED = {"consent_status": "Revoked"}

ANA = {"id": 1, "email": "ana@example.com", "remote_id": "R-1", "first_name": "Ana", "phone": "1", "city": "Laval"}
BO = {"id": 2, "email": "bo@example.com", "remote_id": "R-2", "first_name": "Bo", "city": "Laval"}
CY = {"id": 3, "email": "cy@example.com", "remote_id": "R-3", "first_name": "Cy", **REVOKED}


def contacts(count: int, city: str = "Laval", **fields: Any) -> list[dict[str, Any]]:
    """Return contacts, which are also rows: ``p0@example.com``, ``p1@example.com``, and so on."""
    return [{"email": f"p{number}@example.com", "city": city, **fields} for number in range(count)]
