"""The sandbox in a thread of its own, for tests."""

from __future__ import annotations

import asyncio
import copy
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_envoke.sandbox.faults import Faults
from airflow_provider_envoke.sandbox.server import SandboxServer
from airflow_provider_envoke.sandbox.store import ContactStore

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

T = TypeVar("T")

_START_TIMEOUT_S = 30.0


class Sandbox:
    """
    A sandbox on a free port of this machine: use it as a context manager. What it holds can be read before and
    after, too.

    :param contacts: the account's contacts; ``id`` may be left out.
    :param latency_s: seconds that every answer takes.
    :param duplicate_check: whether two contacts may not have one e-mail address.
    :param faults: fault -> share of the requests that it strikes, 0 to 1; README lists the faults.
    :param fault_seed: another one strikes other requests.
    :param faults_for: id, e-mail address or remote id of a contact -> the fault that strikes all its writes.
    :param retry_after_s: seconds that a fault's ``Retry-After`` says.
    :param keep_requests: how many of the last requests :attr:`requests` holds.
    :raises ValueError: if a fault or a share cannot be.
    """

    api_id = "sandbox-id"
    api_key = "sandbox-key"

    def __init__(
        self,
        contacts: Iterable[Mapping[str, Any]] = (),
        *,
        latency_s: float = 0.0,
        duplicate_check: bool = True,
        faults: Mapping[str, float] | None = None,
        fault_seed: int = 0,
        faults_for: Mapping[str, str] | None = None,
        retry_after_s: int = 1,
        keep_requests: int = 1_000,
    ) -> None:
        store = ContactStore(contacts, duplicate_check=duplicate_check)
        self._server = SandboxServer(
            store,
            api_id=self.api_id,
            api_key=self.api_key,
            latency_s=latency_s,
            faults=Faults(faults, seed=fault_seed, contacts=faults_for, retry_after_s=retry_after_s),
            keep_requests=keep_requests,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self.url = ""

    def __enter__(self) -> Sandbox:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="envoke-sandbox", daemon=True)
        self._thread.start()
        try:
            port = _wait_for(self._server.start("127.0.0.1", 0), self._loop)
        except BaseException:
            self._stop(self._loop)
            raise
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None:
            try:
                _wait_for(self._server.stop(), self._loop)
            finally:
                self._stop(self._loop)

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()
        loop.close()
        self._loop = None

    def __repr__(self) -> str:
        return f"Sandbox({self.url or 'not running'})"

    @property
    def connection(self) -> dict[str, Any]:
        """The parts of an Airflow connection: ``json.dumps`` of it goes into ``AIRFLOW_CONN_…``."""
        return {"conn_type": "envoke", "host": self.url, "login": self.api_id, "password": self.api_key}

    @property
    def contacts(self) -> list[dict[str, Any]]:
        """Copies of all contacts, by id."""
        return self._call(lambda: copy.deepcopy(list(self._server.store.contacts.values())))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """
        The last requests, oldest first: method, path, query, body, status (0 if none was sent), the fault that
        struck it or ``""``, and whether it was a write that was applied.
        """
        return self._call(lambda: copy.deepcopy(list(self._server.requests)))

    @property
    def stats(self) -> dict[str, Any]:
        """Figures about the requests since the start or the last reset."""
        return self._call(self._server.stats.as_dict)

    def contact(self, **key: Any) -> dict[str, Any] | None:
        """Return a copy of the contact with this ``id``, ``email`` or ``remote_id``; ``None`` if there is none."""
        ((name, value),) = key.items()
        return self._call(lambda: copy.deepcopy(self._server.store.find(name, value)))

    def reset(self, contacts: Iterable[Mapping[str, Any]] = ()) -> None:
        """Make these the account's contacts, and forget the requests."""
        self._call(lambda: self._server.reset(contacts))

    def _call(self, function: Callable[[], T]) -> T:
        """Call on the server's loop while it runs, so that no request is half way through a change."""
        if self._loop is None:
            return function()

        async def on_loop() -> T:
            return function()

        return _wait_for(on_loop(), self._loop)


def _wait_for(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(_START_TIMEOUT_S)
