"""
``make airflow``: Airflow with the example DAGs, a warehouse and a stand-in of Envoke, to play with until Ctrl-C.

Everything happens in a temporary directory and in processes of its own; both are gone at the end.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from demo import customers
from demo.processes import ROOT, DemoError
from demo.scene import Scene
from demo.stage import INTERRUPTED, perform, say
from demo.standalone import RELEASE

if TYPE_CHECKING:
    from pathlib import Path

DAGS = ROOT / "example_dags"


def main() -> int:
    """Let people play, and return the exit status. Ctrl-C is how they end it."""
    status = perform(_play)
    return 0 if status == INTERRUPTED else status


def _play(directory: Path, log: Path) -> None:
    say(f"Starting Airflow {RELEASE}, a warehouse and a stand-in of Envoke ... ", end="")
    began = time.monotonic()
    with Scene.set_up(directory, DAGS, log) as scene:
        say(f"{time.monotonic() - began:.0f} s\n")
        for line in _what_there_is(scene):
            say(line)
        scene.airflow.process.wait()
        raise DemoError("Airflow ended by itself.")


def _what_there_is(scene: Scene) -> list[str]:
    password = scene.airflow.password
    log_in = f"log in as admin with the password {password}" if password else "nobody has to log in"
    conf = json.dumps({"email": customers.ONE_EMAIL})
    return [
        f"  Airflow  {scene.airflow.url}/  {log_in}",
        f"  Sandbox  {scene.stand_in.url}/  its contacts, and what it was asked",
        f"  DAGs     {DAGS}  read again when you change them",
        "",
        "Trigger envoke_nightly_sync twice: the second night changes nothing. Or envoke_update_by_email with",
        f"{conf}. The connections and the pool are there. Ctrl-C stops it all.",
    ]


if __name__ == "__main__":
    sys.exit(main())
