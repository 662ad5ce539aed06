"""The stand-in of Envoke that the demo talks to: the package's sandbox, as a process of its own."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from demo.processes import DemoError, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.customers import Row

_API_ID, _API_KEY = "sandbox-id", "sandbox-key"


@dataclass(frozen=True)
class StandIn:
    """A running sandbox."""

    url: str

    @classmethod
    @contextmanager
    def started(cls, contacts: list[Row], directory: Path, log: Path) -> Iterator[StandIn]:
        """
        Start a sandbox that holds these contacts on a free port, and stop it on leaving the context.

        :raises DemoError: if it does not start.
        """
        seed = directory / "contacts.json"
        seed.write_text(json.dumps(contacts), encoding="utf-8")
        module = ["airflow_provider_envoke.sandbox", "--port", "0", "--seed", str(seed)]
        with start(module, os.environ, log, piped=True) as process:
            ready = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://[\w.\[\]:]+", ready)
            if not found:
                raise DemoError("The sandbox did not start.")
            yield cls(found[0])

    @property
    def connection(self) -> dict[str, str]:
        """The Airflow connection to it, as JSON takes it."""
        return {"conn_type": "envoke", "host": self.url, "login": _API_ID, "password": _API_KEY}

    def contacts(self) -> list[Row]:
        """Return all contacts, by id."""
        contacts: list[Row] = self._look("contacts")
        return contacts

    def updates_received(self) -> int:
        """Return how many PATCH requests have come in."""
        count: int = self._look("stats")["by_method"].get("PATCH", 0)
        return count

    def _look(self, what: str) -> Any:
        with urlopen(f"{self.url}/__sandbox__/{what}", timeout=10) as answer:  # noqa: S310 - our own http://127.0.0.1
            return json.load(answer)
