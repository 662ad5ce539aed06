"""
How many requests a run needs: 100,000 contacts, found by email address, of which 1,000 differ; then a second
run.

    python benchmarks/sync_requests.py
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sandbox_process import API_ID, API_KEY, sandbox_process

from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTACTS, EVERY = 100_000, 100


def rows(changed: str) -> Iterator[dict[str, Any]]:
    """Yield the table: every hundredth row differs from its contact."""
    for number in range(CONTACTS):
        yield {"email": f"person{number}@example.com", "city": changed if number % EVERY == 0 else "Laval"}


def main() -> None:
    """Run twice, and print the requests of each run."""
    logging.disable(logging.INFO)
    with sandbox_process(list(rows("Laval"))) as url:
        config = EnvokeConfig.from_connection(login=API_ID, password=API_KEY, host=url)
        for name in ("first run", "second run"):
            report = SyncRun(config, SyncOptions(concurrency=32)).run(rows("Québec"))
            total = report.requests.get("read", 0) + report.requests.get("write", 0)
            print(f"{name}: {total} requests {report.requests}, {report.updated} updated, {report.seconds:.0f} s")


if __name__ == "__main__":
    main()
