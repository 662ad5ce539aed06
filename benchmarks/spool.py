"""
The temporary file in which a run keeps the rows of a query: its size for each row, compared with the row's text.

The rows have the columns of the nightly example.

    python benchmarks/spool.py
"""

from __future__ import annotations

import os
import time

from airflow_provider_envoke.sync.spool import RowSpool

ROWS = 1_000_000


def row(number: int) -> dict[str, str | None]:
    """Return one customer; no two rows share a text."""
    return {
        "email": f"person{number}@example.com",
        "first_name": f"Frédérique{number % 977}",
        "last_name": f"Côté{number % 1013}",
        "company": None,
        "phone": f"+1 514 555 {number % 10000:04}",
        "city": f"Montréal{number % 89}",
        "language": "fr"[:2],
    }


def main() -> None:
    """Print the sizes, and how long writing and reading takes."""
    text_bytes = 0
    with RowSpool() as spool:
        start = time.perf_counter()
        for number in range(ROWS):
            spool.add(row(number))
        written = time.perf_counter()
        read = sum(1 for _ in spool)
        end = time.perf_counter()
        size = os.fstat(spool._file.fileno()).st_size
    for number in range(0, ROWS, 100):
        text_bytes += sum(len(value.encode()) for value in row(number).values() if value)
    if read != ROWS:
        raise RuntimeError(f"{read} of {ROWS} rows read")
    print(f"{size / ROWS:.0f} bytes in the file for a row with {100 * text_bytes / ROWS:.0f} bytes of text")
    print(f"{ROWS / (written - start):.0f} rows written per second, {ROWS / (end - written):.0f} read per second")


if __name__ == "__main__":
    main()
