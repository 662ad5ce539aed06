"""
How fast a table is sent with ``strategy="all"``, where every row is a request.

The sandbox runs in its own process; the rows come from SQLite.

1. 5,000 rows, 50 ms for each request, 32 at once, compared with the maximum of 32 / 0.05 s = 640 per second.
2. 3,000 rows, no latency, 32 at once, compared with a bare ``aiohttp`` loop that sends the same bodies, and
   with 1,000 calls of ``HttpHook.run`` in a loop, as a PythonOperator would make them. Prints the rates and the
   processor time of this process. They take turns, three times each, and the best time of each counts.

    python benchmarks/sync_throughput.py
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import time
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from one_by_one import with_http_hook
from sandbox_process import API_ID, API_KEY, sandbox_process

from airflow_provider_envoke.sync import EnvokeConfig, SyncOptions, SyncRun
from airflow_provider_envoke.transfers._query import QueryRows

if TYPE_CHECKING:
    from collections.abc import Callable

CONCURRENCY = 32
LATENCY_MS = 50
SLOW_ROWS, FAST_ROWS, HOOK_ROWS, ROUNDS = 5_000, 3_000, 1_000, 3


def main() -> None:
    """Run both comparisons."""
    logging.disable(logging.INFO)
    with TemporaryDirectory() as name:
        directory = Path(name)
        os.environ["AIRFLOW_HOME"] = name
        with_latency(directory / "slow.sqlite")
        without_latency(directory / "fast.sqlite")


def with_latency(path: Path) -> None:
    """Compare with the maximum that concurrency and latency allow."""
    with sandbox_process(contacts(SLOW_ROWS), LATENCY_MS) as url:
        seconds, _ = timed(lambda: sync(url, warehouse(path, SLOW_ROWS, "A")))
    maximum = CONCURRENCY / (LATENCY_MS / 1000)
    rate = SLOW_ROWS / seconds
    print(f"{SLOW_ROWS} rows, {LATENCY_MS} ms, concurrency {CONCURRENCY}: {rate:.0f}/s of {maximum:.0f}/s", end="")
    print(f" = {rate / maximum:.0%} of the maximum")


def without_latency(path: Path) -> None:
    """Compare with a bare aiohttp loop and with HttpHook."""
    best: dict[str, tuple[float, float]] = {}
    with sandbox_process(contacts(FAST_ROWS)) as url:
        connection = {"conn_type": "http", "host": url, "login": API_ID, "password": API_KEY}
        os.environ["AIRFLOW_CONN_HTTP"] = json.dumps(connection)
        for number in range(ROUNDS):
            rows = warehouse(path, FAST_ROWS, f"City {number}")
            bodies = [{"email": f"person{i}@example.com", "city": f"Town {number}"} for i in range(FAST_ROWS)]
            contenders: dict[str, tuple[int, Callable[[], None]]] = {
                "SyncRun, strategy='all'": (FAST_ROWS, lambda rows=rows: sync(url, rows)),
                "bare aiohttp loop": (FAST_ROWS, lambda bodies=bodies: asyncio.run(bare(url, bodies))),
                "HttpHook.run loop": (HOOK_ROWS, lambda bodies=bodies: with_http_hook(bodies[:HOOK_ROWS])),
            }
            for name, (count, send) in contenders.items():
                seconds, processor = timed(send)
                each = (seconds / count, processor / count)
                best[name] = min(best.get(name, each), each)
    print(f"\n{'0 ms, concurrency 32':26}{'updates/s':>12}{'processor ms each':>20}")
    for name, (seconds, processor) in best.items():
        print(f"{name:26}{1 / seconds:12.0f}{1000 * processor:20.2f}")
    ours, bare_loop, hook = best.values()
    print(f"SyncRun / bare loop: {bare_loop[0] / ours[0]:.2f}", end="; ")
    print(f"SyncRun / HttpHook: {hook[0] / ours[0]:.1f}", end="")
    print(f"; processor time SyncRun / HttpHook: {ours[1] / hook[1]:.2f}")


def sync(url: str, path: Path) -> None:
    """Send every row of the warehouse in a SyncRun."""
    config = EnvokeConfig.from_connection(login=API_ID, password=API_KEY, host=url)
    run = SyncRun(config, SyncOptions(strategy="all", concurrency=CONCURRENCY))
    hook = SimpleNamespace(get_conn=lambda: sqlite3.connect(path), get_autocommit=lambda _: False)
    report = run.run(QueryRows(hook, "warehouse", ["SELECT email, city FROM customers"]))
    if report.updated != report.rows:
        raise RuntimeError(report.as_table())


async def bare(url: str, bodies: list[dict[str, Any]]) -> None:
    """Send the bodies with as little code as possible."""
    import aiohttp

    waiting = iter(bodies)

    async def worker(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            async with session.patch(f"{url}/v1/contacts", json=body) as response:
                await response.read()

    credentials = b64encode(f"{API_ID}:{API_KEY}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        await asyncio.gather(*(worker(session) for _ in range(CONCURRENCY)))


def contacts(count: int) -> list[dict[str, Any]]:
    """Return the contacts that the sandbox starts with."""
    return [{"email": f"person{number}@example.com"} for number in range(count)]


def warehouse(path: Path, count: int, city: str) -> Path:
    """Create the table, and return the path of the database."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DROP TABLE IF EXISTS customers")
        database.execute("CREATE TABLE customers (email TEXT, city TEXT)")
        rows = ((f"person{number}@example.com", city) for number in range(count))
        database.executemany("INSERT INTO customers VALUES (?, ?)", rows)
    return path


def timed(action: Callable[[], None]) -> tuple[float, float]:
    """Return how many seconds and processor seconds an action takes."""
    start, start_cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - start, time.process_time() - start_cpu


if __name__ == "__main__":
    main()
