"""The stand-in of Envoke that the demo talks to: the package's sandbox, as a process of its own."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from demo.processes import ROOT, DemoError, start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from demo.customers import Row

_API_ID, _API_KEY = "sandbox-id", "sandbox-key"


@dataclass(frozen=True)
class StandIn:
    """A running sandbox."""

    url: str

    @classmethod
    @contextmanager
    def started(
        cls,
        contacts: list[Row],
        directory: Path,
        log: Path,
        *options: str,
        environment: Mapping[str, str] = os.environ,
        cwd: Path = ROOT,
    ) -> Iterator[StandIn]:
        """
        Start a sandbox that holds these contacts on a free port, and stop it on leaving the context.

        :param directory: an existing one, for files of its own.
        :param options: more options of the sandbox, such as ``"--latency-ms", "50"``.
        :raises DemoError: if it does not start.
        """
        seed = directory / "contacts.json"
        seed.write_text(json.dumps(contacts), encoding="utf-8")
        module = ["airflow_provider_envoke.sandbox", "--port", "0", "--seed", str(seed), *options]
        with start(module, environment, log, cwd=cwd, piped=True) as process:
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
        contacts: list[Row] = self._ask("contacts")
        return contacts

    def contact(self, email: str) -> Row | None:
        """Return the contact with this e-mail address."""
        return next((contact for contact in self.contacts() if contact["email"] == email), None)

    def requests(self) -> list[Row]:
        """Return the last 1,000 requests, oldest first."""
        requests: list[Row] = self._ask("requests")
        return requests

    def stats(self) -> Row:
        """Return figures about the requests since the start or the last reset."""
        stats: Row = self._ask("stats")
        return stats

    def updates_received(self) -> int:
        """Return how many PATCH requests have come in."""
        count: int = self.stats()["by_method"].get("PATCH", 0)
        return count

    def reset(self, contacts: list[Row]) -> None:
        """Forget the requests, and hold these contacts."""
        self._ask("reset", json.dumps(contacts).encode())

    def _ask(self, what: str, body: bytes | None = None) -> Any:
        request = Request(f"{self.url}/__sandbox__/{what}", data=body)  # noqa: S310 - our own http://127.0.0.1
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)
