"""
The data of the demo and the system tests: 300 customers of a shop, and their Envoke contacts as of yesterday.

Every call returns the same customers. They are made up; their addresses are of example.com and example.org.
"""

from __future__ import annotations

import random
import sqlite3
import unicodedata
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Row = dict[str, Any]
#: Email address, field, old value, new value.
Change = tuple[str, str, str, str]

COUNT = 300
CHANGED_SINCE = "2026-03-02"

ONE_EMAIL = "francois.lefebvre@example.com"  # is updated on its own
REVOKED_EMAIL = "bjorn.sjoberg@example.org"  # has withdrawn its consent
UNKNOWN_EMAIL = "zoe.nguyen@example.com"  # is in the warehouse but not in Envoke
NO_PHONE_EMAIL = "aicha.benali@example.org"  # has a phone number in Envoke but not in the warehouse

TABLE = """
    CREATE TABLE customers (
        customer_id VARCHAR(60) PRIMARY KEY, remote_id VARCHAR(60), email VARCHAR(60),
        first_name VARCHAR(60), last_name VARCHAR(60), company VARCHAR(60), phone VARCHAR(25),
        city VARCHAR(60), language VARCHAR(2), updated_at TIMESTAMP
    )
"""
COLUMNS = (
    "customer_id", "remote_id", "email", "first_name", "last_name", "company", "phone", "city", "language",
    "updated_at",
)  # fmt: skip

_SEED = 1697196
_FIRST_NAMES = (
    "Amélie", "Anaïs", "Antoine", "Benoît", "Chloé", "Clémence", "Daniel", "Émile", "Emma", "Frédérique", "Gaël",
    "Geneviève", "Hélène", "Inès", "Isaac", "Jérôme", "Léa", "Liam", "Maëlle", "Mia", "Noah", "Océane", "Olivia",
    "Raphaël", "Rosalie", "Sébastien", "Sören", "Théo", "Valérie", "William",
)  # fmt: skip
_LAST_NAMES = (
    "Bélanger", "Bergström", "Boisvert", "Campbell", "Côté", "Desrosiers", "Fortin", "Gagné", "Grünwald", "Hébert",
    "Kowalczyk", "Lachance", "Leclerc", "MacDonald", "Ménard", "Müller", "O'Brien", "Ouellet", "Pâquet", "Roy",
    "St-Amand", "Thériault", "Tremblay", "Vandenberghe-Dubois", "Villeneuve",
)  # fmt: skip
_COMPANIES = ("Atelier Boréal", "Café du Marché", "Érablière Nord", "Harbour & Sons", "Librairie Tournesol", None)
_CITIES = ("Gatineau", "Laval", "Lévis", "Montréal", "Québec", "Saguenay", "Sherbrooke", "Toronto", "Vancouver")

# email -> the fields as they are in Envoke, those that have changed in the warehouse
_CHANGES: dict[str, tuple[Row, Row]] = {
    ONE_EMAIL: (
        {"first_name": "Francois", "last_name": "Lefebvre", "city": "Laval", "phone": "+1 450 555 0101"},
        {"first_name": "François", "last_name": "Lefèbvre", "city": "Rivière-du-Loup"},
    ),
    "noemie.ornstrom@example.org": (
        {"first_name": "Noémie", "last_name": "Beauchêne", "city": "Québec", "language": "fr"},
        {"last_name": "Örnström-Beauchêne", "city": "Toronto", "language": "en"},
    ),
    "max.lindqvist@example.com": (
        {"first_name": "Max", "last_name": "Lindqvist"},
        {"first_name": "Maximilienne-Alexandrine"},
    ),
    NO_PHONE_EMAIL: (
        {"first_name": "Aïcha", "last_name": "Benali", "company": "Café du Marché", "phone": "+1 418 555 0142"},
        {"company": "Atelier Boréal", "phone": None},
    ),
    REVOKED_EMAIL: ({"first_name": "Björn", "last_name": "Sjöberg", "city": "Lévis"}, {"city": "Saguenay"}),
    UNKNOWN_EMAIL: ({"first_name": "Zoë", "last_name": "Nguyễn", "city": "Montréal"}, {}),
}


def customers() -> list[Row]:
    """Return the rows of the warehouse; those that have changed come last."""
    rows = []
    for number, row in enumerate(_yesterday(), 1):
        _, change = _CHANGES.get(row["email"], ({}, {}))
        due = row["email"] in _CHANGES and row["email"] != ONE_EMAIL
        updated_at = f"{CHANGED_SINCE if due else '2026-02-01'} 08:{number // 60:02}:{number % 60:02}"
        rows.append({**row, **change, "updated_at": updated_at})
    return rows


def contacts() -> list[Row]:
    """Return the contacts in Envoke: every customer but one, with consents that are not in the warehouse."""
    known = [row for row in _yesterday() if row["email"] != UNKNOWN_EMAIL]
    return [{"id": number, **_contact(row)} for number, row in enumerate(known, 1001)]


def fill_warehouse(path: Path, rows: list[Row]) -> None:
    """Create the table ``customers`` in a new SQLite database."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(TABLE)
        placeholders = ", ".join(f":{name}" for name in COLUMNS)
        database.executemany(f"INSERT INTO customers VALUES ({placeholders})", rows)


def changes(before: Iterable[Row], after: Iterable[Row]) -> list[Change]:
    """Return every field of a contact whose value differs from before; an empty text is the same as no value."""
    old = {contact["id"]: contact for contact in before}
    return [
        (contact["email"], field, *(str(each.get(field) or "") for each in (old[contact["id"]], contact)))
        for contact in after
        for field in COLUMNS
        if (contact.get(field) or "") != (old[contact["id"]].get(field) or "")
    ]


def _contact(row: Row) -> Row:
    contact = {name: value for name, value in row.items() if name != "customer_id" and value is not None}
    if row["email"] == REVOKED_EMAIL:
        return {**contact, "consent_status": "Revoked", "consent_description": "Asked by phone to stop"}
    description = "Ticked the box at the till"
    return {**contact, "consent_status": "Express", "consent_description": description}


def _yesterday() -> list[Row]:
    chance = random.Random(_SEED)
    others = COUNT - len(_CHANGES)
    rows = [_person(chance, number) for number in range(1, others + 1)]
    for number, (email, (before, _)) in enumerate(_CHANGES.items(), others + 1):
        rows.append({**_person(chance, number), "company": None, "phone": None, **before, "email": email})
    return rows


def _person(chance: random.Random, number: int) -> Row:
    first_name, last_name = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
    domain = chance.choice(("example.com", "example.org"))
    return {
        "customer_id": f"C-{number:04}",
        "remote_id": None if chance.random() < 0.05 else f"R-{number + 4000}",
        "email": f"{_plain(first_name)}.{_plain(last_name)}.{number}@{domain}",
        "first_name": first_name,
        "last_name": last_name,
        "company": chance.choice(_COMPANIES),
        "phone": None if chance.random() < 0.3 else f"+1 514 555 01{number % 100:02}",
        "city": chance.choice(_CITIES),
        "language": chance.choice(("en", "fr", "fr", None)),
    }


def _plain(name: str) -> str:
    """Return a name as it is written in an address: ``Éric-Noël`` becomes ``ericnoel``."""
    decomposed = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalpha())
