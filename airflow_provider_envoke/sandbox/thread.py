"""The sandbox in a thread of the current process, for tests."""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_envoke.sandbox.fault_chooser import FaultChooser
from airflow_provider_envoke.sandbox.server import SandboxServer
from airflow_provider_envoke.sandbox.store import ContactStore
from airflow_provider_envoke.sandbox.strict import AccountFields

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping

T = TypeVar("T")

_START_TIMEOUT_S = 30.0


class Sandbox:
    """
    A stand-in for an Envoke account, on a free port of this machine. It serves requests within a ``with`` block;
    its contacts, requests and statistics can also be read before and after.

    :param contacts: the account's contacts; ``id`` is optional. Default: no contacts.
    :param api_id: user name that clients must send.
    :param api_key: password that clients must send.
    :param latency_s: delay of every API response, in seconds. It can be changed later. Default: 0.
    :param duplicate_check: whether two contacts may not share an email address. Default: ``True``.
    :param strict: the custom fields and tags that the account has, such as
        ``{"custom_fields": ["plan"], "interests": ["Newsletter"], "autoresponders": []}``. Writes of others, and
        of fields that Envoke does not document, are refused. A list that is missing is empty. Default: ``None``,
        which accepts any.
    :param faults: fault -> share of the requests that get it, 0 to 1. The faults are listed in
        ``airflow_provider_envoke.sandbox.faults.FAULTS``.
    :param fault_seed: a different seed chooses different requests. Default: 0.
    :param faults_for: id, email address or remote id of a contact -> the fault that every write of it gets.
    :param retry_after_s: value of ``Retry-After`` in responses of faults, in seconds. Default: 1.
    :param outage_s: how long the fault ``connection_refused`` refuses new connections, in seconds. Default: 0.02.
    :param keep_requests: how many of the last requests :attr:`requests` holds. Default: 1,000.
    :param clock: returns the Unix time in seconds, for the ``date_created`` of contacts that the API creates and
        for the times on the page. Default: ``time.time``.
    :raises ValueError: if a contact, a fault's name, a share or ``strict`` is invalid.
    """

    #: Default credentials; an instance has its own.
    api_id = "sandbox-id"
    api_key = "sandbox-key"

    def __init__(
        self,
        contacts: Iterable[Mapping[str, Any]] = (),
        *,
        api_id: str = api_id,
        api_key: str = api_key,
        latency_s: float = 0.0,
        duplicate_check: bool = True,
        strict: Mapping[str, Collection[str]] | None = None,
        faults: Mapping[str, float] | None = None,
        fault_seed: int = 0,
        faults_for: Mapping[str, str] | None = None,
        retry_after_s: int = 1,
        outage_s: float = 0.02,
        keep_requests: int = 1_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.api_id = api_id
        self.api_key = api_key
        chooser = FaultChooser(
            faults, seed=fault_seed, contacts=faults_for, retry_after_s=retry_after_s, outage_s=outage_s
        )
        self._server = SandboxServer(
            ContactStore(
                contacts,
                duplicate_check=duplicate_check,
                strict=None if strict is None else AccountFields.of(strict),
                clock=clock,
            ),
            api_id=api_id,
            api_key=api_key,
            latency_s=latency_s,
            faults=chooser,
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
        """The Airflow connection to the sandbox; its ``json.dumps`` is a value for ``AIRFLOW_CONN_…``."""
        return {"conn_type": "envoke", "host": self.url, "login": self.api_id, "password": self.api_key}

    @property
    def latency_s(self) -> float:
        """Delay of every API response, in seconds."""
        return self._server.latency_s

    @latency_s.setter
    def latency_s(self, seconds: float) -> None:
        self._server.latency_s = seconds

    @property
    def contacts(self) -> list[dict[str, Any]]:
        """Copies of all contacts, ordered by id."""
        return self._call(lambda: copy.deepcopy(list(self._server.store.contacts.values())))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """
        The last requests, oldest first.

        Each has the keys ``time`` (Unix time in seconds), ``method``, ``path``, ``query``, ``body``, ``status`` (0
        if no response was sent), ``fault`` (its name or ``""``), ``applied`` (whether it was a write that was
        applied) and ``errors`` (why the API refused it).
        """
        return self._call(lambda: copy.deepcopy(list(self._server.requests)))

    @property
    def stats(self) -> dict[str, Any]:
        """Statistics of the requests since the start or the last reset."""
        return self._call(self._server.stats.as_dict)

    def contact(self, **key: Any) -> dict[str, Any] | None:
        """Return a copy of the contact with this ``id``, ``email`` or ``remote_id``, or ``None``."""
        ((name, value),) = key.items()
        return self._call(lambda: copy.deepcopy(self._server.store.find(name, value)))

    def delete_contact(self, **key: Any) -> None:
        """
        Delete the contact with this ``id``, ``email`` or ``remote_id``, as somebody else could do at any time.

        :raises LookupError: if there is no such contact.
        """
        ((name, value),) = key.items()

        def delete() -> None:
            contact = self._server.store.find(name, value)
            if contact is None:
                raise LookupError(f"no contact has this {name}")
            self._server.store.delete(contact)

        self._call(delete)

    def reset(self, contacts: Iterable[Mapping[str, Any]] = ()) -> None:
        """
        Replace the contacts, and forget the requests and their statistics.

        :raises ValueError: if a contact is invalid. Nothing is changed then.
        """
        self._call(lambda: self._server.reset(contacts))

    def _call(self, function: Callable[[], T]) -> T:
        """Call a function in the server's thread if it runs, so that it cannot interrupt a request."""
        if self._loop is None:
            return function()

        async def on_loop() -> T:
            return function()

        return _wait_for(on_loop(), self._loop)


def _wait_for(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(_START_TIMEOUT_S)
