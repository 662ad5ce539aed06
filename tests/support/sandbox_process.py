"""The package's sandbox as a child process, and the requests that ask it what it holds."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tests.support.airflow import without_airflow
from tests.support.processes import SetupError, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.customers import Row

API_ID, API_KEY = "sandbox-id", "sandbox-key"


@dataclass(frozen=True)
class SandboxProcess:
    """A running sandbox."""

    url: str

    @classmethod
    @contextmanager
    def started(
        cls, contacts: list[Row], directory: Path, log: Path, *options: str, port: int = 0
    ) -> Iterator[SandboxProcess]:
        """
        Start a sandbox with these contacts on a port, by default a free one, and stop it on exit.

        It is the sandbox of the installed provider, whatever the current directory is.
        """
        seed = directory / "contacts.json"
        seed.write_text(json.dumps(contacts), encoding="utf-8")
        module = ["airflow_provider_envoke.sandbox", "--port", str(port), "--seed", str(seed), *options]
        environment = {**without_airflow(dict(os.environ)), "PYTHONSAFEPATH": "1"}
        with start(module, environment, log, cwd=directory, piped=True) as process:
            ready = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://[\w.\[\]:]+", ready)
            if not found:
                raise SetupError("The sandbox did not start.")
            yield cls(found[0])

    @property
    def connection(self) -> dict[str, Any]:
        """The parts of an Airflow connection to it. The port is one of them: Airflow's form tests no other."""
        address = urlsplit(self.url)
        host = f"{address.scheme}://{address.hostname}"
        return {
            "conn_type": "envoke", "host": host, "port": address.port, "login": API_ID, "password": API_KEY,
        }  # fmt: skip

    def contacts(self) -> list[Row]:
        """Return all contacts, by id."""
        return self._ask("contacts")

    def requests(self) -> list[Row]:
        """Return the most recent requests, oldest first."""
        return self._ask("requests")

    def stats(self) -> Row:
        """Return figures about the requests since the start or the last reset."""
        return self._ask("stats")

    def updates_received(self) -> int:
        """Return how many PATCH requests it has received."""
        return self.stats()["by_method"].get("PATCH", 0)

    def reset(self, contacts: list[Row]) -> None:
        """Replace all contacts, and forget the requests."""
        self._ask("reset", json.dumps(contacts).encode())

    def _ask(self, what: str, body: bytes | None = None) -> Any:
        request = Request(f"{self.url}/__sandbox__/{what}", data=body)
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)
