"""
How long it takes to import an operator, compared with ``HttpOperator``.

Prints how many milliseconds ``import MODULE`` takes in a process that has already imported ``airflow.sdk`` (on
Airflow 2: ``airflow.models``), and whether it loads ``requests`` or ``aiohttp``. Each time is the median of 5
fresh processes.

    python benchmarks/import_time.py
"""

from __future__ import annotations

import compileall
import json
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 5
MODULES = ("airflow_provider_envoke.operators.envoke", "airflow.providers.http.operators.http")

PROBE = """
import importlib, json, sys, time
try:
    import airflow.sdk
except ImportError:
    from airflow.hooks.base import BaseHook
    from airflow.models import DAG, BaseOperator
before = set(sys.modules)
start = time.perf_counter()
importlib.import_module(sys.argv[1])
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted({"requests", "aiohttp"} & (set(sys.modules) - before))]))
"""


def measure(module: str) -> tuple[float, list[str]]:
    """Return the median time in seconds, and the network libraries that the import loads."""
    results = []
    for _ in range(RUNS):
        output = subprocess.run([sys.executable, "-c", PROBE, module], capture_output=True, text=True, check=True)
        results.append(json.loads(output.stdout.splitlines()[-1]))
    return statistics.median(seconds for seconds, _ in results), results[0][1]


def main() -> None:
    """Print one line for each module."""
    compileall.compile_dir(Path(__file__).parents[1] / "airflow_provider_envoke", quiet=2)  # pip does this too
    for module in MODULES:
        seconds, loaded = measure(module)
        libraries = ", ".join(loaded) or "neither requests nor aiohttp"
        print(f"{module:45} {1000 * seconds:7.1f} ms   loads {libraries}")


if __name__ == "__main__":
    main()
