"""
How many rows per second are planned: build the payload, check for duplicates, compare with the contact.

Sends nothing; no row differs. One process, best of 3.

    python benchmarks/planning.py
"""

from __future__ import annotations

import time
from typing import Any

from airflow_provider_envoke.sync import SyncOptions
from airflow_provider_envoke.sync.compare import compare
from airflow_provider_envoke.sync.rows import BATCH_ROWS, RowReader, TableScan

ROWS, ROUNDS = 50_000, 3


def row(number: int) -> dict[str, Any]:
    """Return one customer, with the columns of the nightly example."""
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
    """Return how many seconds planning takes."""
    start = time.perf_counter()
    options = SyncOptions()
    scan = TableScan(options)
    reader = RowReader(options, scan)
    unchanged = 0
    for first in range(0, len(rows), BATCH_ROWS):
        for batch in reader.batches(rows[first : first + BATCH_ROWS]):
            for desired in batch.desired:
                unchanged += compare(desired, [contacts[desired.key]], options).action == "unchanged"
    reader.close()
    scan.close()
    if unchanged != len(rows):
        raise RuntimeError(f"{unchanged} of {len(rows)} unchanged")
    return time.perf_counter() - start


def main() -> None:
    """Print the rate."""
    rows = [row(number) for number in range(ROWS)]
    contacts = {row["email"]: {**row, "company": "", "id": number} for number, row in enumerate(rows, start=1)}
    print(f"{ROWS / min(plan(rows, contacts) for _ in range(ROUNDS)):.0f} rows planned per second")


if __name__ == "__main__":
    main()
