"""Which requests get a fault."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING

from airflow_provider_envoke.sandbox.faults import FAULTS, is_read, is_read_with_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_envoke.sandbox.api import Api, Call
    from airflow_provider_envoke.sandbox.faults import Fault


class FaultChooser:
    """
    Decides which requests get a fault: a share of all requests, or all writes of a chosen contact.

    The decision depends on the seed, on the request (method, path, query, body) and on how many times it came
    before, but not on the time or on other requests. A run that is repeated therefore gets the same faults,
    whatever its concurrency.

    Its state: how many times each request came.

    :param shares: fault -> share of the requests that get it, 0 to 1; at most 1 in total. For a fault that applies
        to some requests only, such as ``in_refused``, it is the share of those.
    :param seed: a different seed chooses different requests.
    :param contacts: id, email address or remote id of a contact -> the fault that every write of it gets.
    :param retry_after_s: value of ``Retry-After``, in seconds.
    :param outage_s: how long ``connection_refused`` refuses new connections, in seconds.
    :raises ValueError: if a fault's name or share is invalid; the message names it.
    """

    def __init__(
        self,
        shares: Mapping[str, float] | None = None,
        *,
        seed: int = 0,
        contacts: Mapping[str, str] | None = None,
        retry_after_s: int = 1,
        outage_s: float = 0.02,
    ) -> None:
        self._thresholds = _thresholds(shares or {})
        self._contacts = {str(key).lower(): _find_write_fault(name) for key, name in (contacts or {}).items()}
        self._salt = str(seed).encode()
        self._counts: Counter[bytes] = Counter()
        self.retry_after_s = retry_after_s
        self.outage_s = outage_s

    def __bool__(self) -> bool:
        return bool(self._thresholds or self._contacts)

    def reset(self) -> None:
        """Forget which requests came, so that the same faults occur again."""
        self._counts.clear()

    def choose(self, call: Call, api: Api) -> Fault | None:
        """Return the fault that this call gets, or ``None``."""
        if self._contacts:
            keys = api.written_keys(call) & self._contacts.keys()
            if keys:
                return self._contacts[min(keys)]
        number = self._pseudorandom_number(call)
        for fault, threshold in self._thresholds:
            if number < threshold:
                return fault if fault.applies_to(call) else None
        return None

    def _pseudorandom_number(self, call: Call) -> float:
        """Count the call, and return a number from 0 to 1 that depends on the call, its count and the seed."""
        text = repr((call.method, call.path, call.query, call.content)).encode(errors="surrogatepass")
        request = blake2b(text, digest_size=16).digest()
        self._counts[request] += 1
        digest = blake2b(b"%s %d" % (self._salt, self._counts[request]), digest_size=8, key=request).digest()
        return int.from_bytes(digest) / 2**64


def _find_fault(name: str) -> Fault:
    if name not in FAULTS:
        raise ValueError(f"{name!r} is not a fault; the faults are {', '.join(FAULTS)}")
    return FAULTS[name]


def _find_write_fault(name: str) -> Fault:
    fault = _find_fault(name)
    if fault.applies_to in (is_read, is_read_with_in):
        raise ValueError(f"{name} applies to reads; a single contact can only have faults that apply to writes")
    return fault


def _thresholds(shares: Mapping[str, float]) -> list[tuple[Fault, float]]:
    """Return each fault with the upper end of its part of the numbers from 0 to 1."""
    thresholds, total = [], 0.0
    for name, share in shares.items():
        fault = _find_fault(name)
        if not 0 <= share <= 1:
            raise ValueError(f"the share of {name} is {share}; it must be from 0 to 1")
        total += share
        thresholds.append((fault, total))
    if total > 1 + 1e-9:
        raise ValueError(f"the shares add up to {total:g}; they may add up to 1 at most")
    return thresholds
