"""
Peak memory of a run with 1,000,000 rows, compared with 10,000 rows, each in a fresh process.

The key is the remote id, and the guards that remember keys and addresses are on. A fake client answers within
the process with contacts that equal the rows, so only the memory of the sync is measured. Prints both peaks and
their ratio.

    python benchmarks/sync_memory.py
"""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.client.bulk import BulkClient
from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_envoke.envoke.requests import Request

SMALL, LARGE = 10_000, 1_000_000


class EchoClient(BulkClient):
    """Answers every read with the requested contacts."""

    async def send(self, request: Request) -> Any:
        """Return the contacts, parsed from JSON as in a real run."""
        keys = [value for name, value in request.params if name == "filter[remote_id][$in][]"]
        return json.loads(json.dumps([contact(int(key)) for key in keys]))


def contact(number: int) -> dict[str, Any]:
    """Return one contact of the account."""
    return {"id": number + 1, "remote_id": str(number), "email": f"person{number}@example.com", "city": "Laval"}


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield rows that equal the contacts."""
    for number in range(count):
        yield {"remote_id": str(number), "email": f"person{number}@example.com", "city": "Laval"}


def measure(count: int) -> None:
    """Run in this process, and print its peak memory in bytes."""
    from airflow_provider_envoke.sync import run

    run.BulkClient = EchoClient
    config = EnvokeConfig(api_id="id", api_key="key")
    report = SyncRun(config, SyncOptions(keyfield="remote_id")).run(rows(count))
    if report.unchanged != count:
        raise RuntimeError(report.as_table())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
    """Measure both, each in its own process."""
    peaks = []
    for count in (SMALL, LARGE):
        command = [sys.executable, __file__, str(count)]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(f"{count:>9} rows: peak {peaks[-1] / 1e6:.1f} MB")
    print(f"ratio {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    logging.disable(logging.INFO)
    measure(int(sys.argv[1])) if len(sys.argv) > 1 else main()
