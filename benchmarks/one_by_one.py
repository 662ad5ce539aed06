"""
1,000 updates through one ``EnvokeHook``, compared with 1,000 through ``HttpHook.run``.

Both send the same bodies to the sandbox, which runs in its own process without latency. They take turns, three
times each, and the best time of each counts. Prints the seconds, the processor seconds of this process, and the
ratios.

    python benchmarks/one_by_one.py
"""

from __future__ import annotations

import json
import logging
import os
import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sandbox_process import API_ID, API_KEY, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Callable

UPDATES = 1_000
ROUNDS = 3


def main() -> None:
    """Run both, and print the times and the ratios."""
    contacts = [{"email": f"person{number}@example.com"} for number in range(UPDATES)]
    with TemporaryDirectory() as home, sandbox_process(contacts) as url:
        os.environ["AIRFLOW_HOME"] = home
        connection = {"login": API_ID, "password": API_KEY, "host": url}
        os.environ["AIRFLOW_CONN_ENVOKE"] = json.dumps({"conn_type": "envoke", **connection})
        os.environ["AIRFLOW_CONN_HTTP"] = json.dumps({"conn_type": "http", **connection})
        logging.disable(logging.INFO)
        ours = theirs = (float("inf"), float("inf"))
        for number in range(ROUNDS):
            bodies = [{"email": contact["email"], "city": f"City {number}"} for contact in contacts]
            ours = min(ours, timed(with_envoke_hook, bodies))
            theirs = min(theirs, timed(with_http_hook, bodies))
    print(f"{UPDATES} updates, one by one, best of {ROUNDS}      seconds   processor seconds")
    print(f"EnvokeHook.update_contact                {ours[0]:9.2f} {ours[1]:12.2f}")
    print(f"HttpHook.run                             {theirs[0]:9.2f} {theirs[1]:12.2f}")
    print(f"HttpHook / EnvokeHook                    {theirs[0] / ours[0]:8.1f}x {theirs[1] / ours[1]:11.1f}x")


def timed(send: Callable[[list[dict[str, Any]]], None], bodies: list[dict[str, Any]]) -> tuple[float, float]:
    """Return how many seconds and processor seconds it takes to send the bodies."""
    start, start_cpu = time.perf_counter(), time.process_time()
    send(bodies)
    return time.perf_counter() - start, time.process_time() - start_cpu


def with_envoke_hook(bodies: list[dict[str, Any]]) -> None:
    """Send the bodies through one EnvokeHook."""
    from airflow_provider_envoke.hooks.envoke import EnvokeHook

    with EnvokeHook("envoke") as hook:
        for body in bodies:
            hook.update_contact(body)


def with_http_hook(bodies: list[dict[str, Any]]) -> None:
    """Send the bodies through one HttpHook, as a PythonOperator would."""
    from airflow.providers.http.hooks.http import HttpHook

    hook = HttpHook(method="PATCH", http_conn_id="http")
    headers = {"Content-Type": "application/json"}
    for body in bodies:
        hook.run("/v1/contacts", data=json.dumps(body), headers=headers)


if __name__ == "__main__":
    main()
