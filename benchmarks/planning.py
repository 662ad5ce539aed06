"""
How many rows a second are planned: a row becomes a payload, its key is claimed, it is compared with its contact.

Nothing is sent and nothing differs. One process, best of 3.

    python benchmarks/planning.py
"""

from __future__ import annotations

import time
from typing import Any

from airflow_provider_envoke.core.options import SyncOptions
from airflow_provider_envoke.core.plan import decide
from airflow_provider_envoke.sync.intake import BATCH_ROWS, Intake

ROWS, ROUNDS = 50_000, 3


def row(number: int) -> dict[str, Any]:
    """Return one customer, as the nightly example has them."""
    return {
        "email": f"person{number}@example.com",
        "first_name": "Frédérique",
        "last_name": "Côté",
        "company": None,
        "phone": "+1 514 555 0123",
        "city": "Montréal",
        "language": "fr",
    }


def plan(rows: list[dict[str, Any]], contacts: dict[str, dict[str, Any]]) -> float:
    """Return the seconds that planning takes."""
    start = time.perf_counter()
    intake = Intake(SyncOptions())
    unchanged = 0
    for first in range(0, len(rows), BATCH_ROWS):
        for batch in intake.batches(rows[first : first + BATCH_ROWS]):
            for wanted in batch.wanted:
                decision = decide(wanted, [contacts[wanted.key]], keyfield="email")
                unchanged += decision.action == "unchanged"
    intake.close()
    if unchanged != len(rows):
        raise RuntimeError(f"{unchanged} of {len(rows)} unchanged")
    return time.perf_counter() - start


def main() -> None:
    """Print the rate."""
    rows = [row(number) for number in range(ROWS)]
    contacts = {row["email"]: {**row, "company": "", "id": number} for number, row in enumerate(rows, start=1)}
    print(f"{ROWS / min(plan(rows, contacts) for _ in range(ROUNDS)):.0f} rows planned a second")


if __name__ == "__main__":
    main()
