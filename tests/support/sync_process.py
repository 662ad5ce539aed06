"""
A sync in a child process, which tests can kill: ``python -m tests.support.sync_process URL OPTIONS``.

SIGTERM has the same effect as on a task: with ``"term": "raise"`` it raises in the main thread, as on Airflow 2;
with ``"term": "cancel"`` it cancels the run, as ``on_kill`` does on Airflow 3. Prints the report as JSON.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun

COUNT, NEW = 200, 20


class TerminatedError(Exception):
    """SIGTERM was received."""


def rows(city: str) -> list[dict[str, Any]]:
    """Return the rows of the table; the last :data:`NEW` of them have no contact."""
    return [{"remote_id": f"R-{each}", "email": f"p{each}@example.com", "city": city} for each in range(COUNT)]


def main(url: str, options: dict[str, Any]) -> None:
    term = options.pop("term", "raise")
    config = EnvokeConfig(api_id="sandbox-id", api_key="sandbox-key", base_url=url, max_retries=0)
    run = SyncRun(config, SyncOptions(**options))

    def terminate(number: int, frame: object) -> None:
        if term == "raise":
            raise TerminatedError
        run.cancel()

    signal.signal(signal.SIGTERM, terminate)
    try:
        run.run(rows("Québec"))
    finally:
        print(json.dumps(run.report().as_dict()))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
