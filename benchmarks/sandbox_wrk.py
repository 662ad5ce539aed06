"""
How many PATCH requests per second the sandbox answers on one core. ``wrk`` sends them from another core.

Requires Debian's package ``wrk``.

    python benchmarks/sandbox_wrk.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox_process import sandbox_process

CONTACTS, SECONDS = 100_000, 10
SCRIPT = Path(__file__).with_name("sandbox_patch.lua")


def main() -> int:
    """Print the rate, and the number of responses other than 200."""
    if shutil.which("wrk") is None:
        print("wrk is not installed (Debian: apt-get install wrk)")
        return 2
    os.sched_setaffinity(0, {0})  # the sandbox inherits this
    with sandbox_process([{"email": f"person{number}@example.com"} for number in range(CONTACTS)]) as url:
        os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
        command = ["wrk", "-t1", "-c32", f"-d{SECONDS}s", "-s", str(SCRIPT), url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    bad = re.search(r"Non-2xx.*", output)
    print(f"{rate[1] if rate else '?'} PATCH requests per second; {bad[0] if bad else 'all responses were 200'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
