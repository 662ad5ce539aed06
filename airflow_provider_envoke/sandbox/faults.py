"""What can go wrong between a client and Envoke, on purpose: the faults, and which requests they strike."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from airflow_provider_envoke.sandbox import failing
from airflow_provider_envoke.sandbox.api import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_envoke.sandbox.api import Api, Call
    from airflow_provider_envoke.sandbox.failing import Fail
    from airflow_provider_envoke.sandbox.store import Contact, ContactStore

    Meddle = Callable[[ContactStore, Contact], None]

#: What the fault ``changed`` writes into a contact's ``feedback``.
CHANGED_FEEDBACK = "Changed by somebody else"


def _every(_: Call) -> bool:
    return True


def _updates(call: Call) -> bool:
    return call.method == "PATCH"


def _reads_contacts(call: Call) -> bool:
    return call.method == "GET" and call.path == "/v1/contacts"


def _asks_in(call: Call) -> bool:
    return _reads_contacts(call) and any("[$in]" in name for name, _ in call.query)


def _delete(store: ContactStore, contact: Contact) -> None:
    store.delete(contact)


def _change(store: ContactStore, contact: Contact) -> None:
    store.update(contact, {"feedback": CHANGED_FEEDBACK})


def _revoke(store: ContactStore, contact: Contact) -> None:
    store.update(contact, {"consent_status": "Revoked"})


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One way in which a request can fail.

    :param name: its name on the command line and in figures.
    :param words: what happens, for people.
    :param passing: whether nothing is lost if the same request is sent again until it is not struck; what does
        not pass is an answer that means what it says.
    :param applied: whether the API carries the request out.
    :param status: HTTP status that the client sees; ``None`` is the API's own, 0 is none at all.
    :param fail: sends, or breaks, the answer.
    :param strikes: which requests it can strike.
    :param before: what somebody else does to the contact just before it is updated.
    :param after: what somebody else does to the contacts just after they were read.
    """

    name: str
    words: str
    passing: bool = True
    applied: bool = False
    status: int | None = None
    fail: Fail = failing.whole
    strikes: Callable[[Call], bool] = _every
    before: Meddle | None = None
    after: Meddle | None = None


_TRY_AGAIN = failing.envelope("Something went wrong, please try again")
_NO_CREDENTIALS = failing.envelope("Authentication failed")
_NO_IN = failing.envelope("Operator '$in' is not supported")

_PASSING = (
    Fault("connection_refused", "connection reset, new ones refused for 20 ms", status=0, fail=failing.refuse),
    Fault("reset_before", "connection reset before the request was applied", status=0, fail=failing.reset),
    Fault("reset_after", "request applied, then connection reset", applied=True, status=0, fail=failing.reset),
    Fault("stall", "request applied, then no answer", applied=True, status=0, fail=failing.stall),
    Fault("drip", "answer sent byte by byte, 20 a second, never to its end", applied=True, fail=failing.drip),
    Fault("cut_off", "half of the JSON sent as if it were all", applied=True, fail=failing.cut_off),
    Fault("broken_off", "half of the answer sent, then connection closed", applied=True, fail=failing.break_off),
    Fault("html_502", "502 with a proxy's page, not applied", status=502, fail=failing.page),
    Fault("html_503", "503 with a proxy's page, not applied", status=503, fail=failing.page),
    Fault("html_504", "504 with a proxy's page, applied", applied=True, status=504, fail=failing.page),
    Fault("error_500", "500 with the JSON envelope, not applied", status=500, fail=_TRY_AGAIN),
    Fault("throttled", "429 without `Retry-After`", status=429, fail=failing.throttle),
    Fault("throttled_seconds", "429, `Retry-After` in seconds", status=429, fail=failing.throttle_for_seconds),
    Fault("throttled_date", "429, `Retry-After` as a date", status=429, fail=failing.throttle_until),
    Fault("passing_401", "401 to good credentials", status=401, fail=_NO_CREDENTIALS),
    Fault("warnings", "PHP's warnings before the JSON", applied=True, fail=failing.warn),
    Fault("lying_gzip", "answer said to be gzip, which it is not", applied=True, fail=failing.lie_about_gzip),
    Fault("huge", "10 MB: the JSON, then blanks", applied=True, fail=failing.pad),
    Fault("changed", "just before an update: `feedback` changed", applied=True, strikes=_updates, before=_change),
)

_PERMANENT = (
    Fault("deleted", "just before an update: contact deleted", False, True, strikes=_updates, before=_delete),
    Fault("revoked", "just after a read: consents revoked", False, True, strikes=_reads_contacts, after=_revoke),
    Fault("unsuccessful", "200 with `success: false`, not applied", False, status=200, fail=_TRY_AGAIN),
    Fault("redirect", "302 to another host, not applied", False, status=302, fail=failing.redirect),
    Fault("in_refused", "400 to filters with `$in`", False, status=400, fail=_NO_IN, strikes=_asks_in),
)

#: Every fault by its name: first those that pass, then those that do not.
FAULTS = {fault.name: fault for fault in (*_PASSING, *_PERMANENT)}


class Faults:
    """
    Decides which requests are struck: by a share, or all writes of a chosen contact.

    What is decided about a request depends on the seed, the request itself (method, path, query, body) and how
    often it has come, not on the time or on other requests: so a run can be repeated, whatever its concurrency.

    Its state: how often each request has come.

    :param shares: fault -> share of the requests, 0 to 1; together at most 1. A fault that strikes only some
        requests (``in_refused``) takes its share of those.
    :param seed: another one strikes other requests.
    :param contacts: id, e-mail address or remote id -> the fault that strikes every write of this contact.
    :param retry_after_s: what ``Retry-After`` says, in seconds.
    :raises ValueError: if a name or a share cannot be; the text says which.
    """

    def __init__(
        self,
        shares: Mapping[str, float] | None = None,
        *,
        seed: int = 0,
        contacts: Mapping[str, str] | None = None,
        retry_after_s: int = 1,
    ) -> None:
        self._thresholds = _thresholds(shares or {})
        self._contacts = {str(key).lower(): _for_writes(name) for key, name in (contacts or {}).items()}
        self._salt = str(seed).encode()
        self._came: Counter[bytes] = Counter()
        self.retry_after_s = retry_after_s

    def __bool__(self) -> bool:
        return bool(self._thresholds or self._contacts)

    def forget(self) -> None:
        """Begin anew, as if no request had come."""
        self._came.clear()

    def strike(self, call: Call, api: Api) -> Fault | None:
        """Return the fault that strikes this call, if one does."""
        if self._contacts:
            chosen = api.written_keys(call) & self._contacts.keys()
            if chosen:
                return self._contacts[min(chosen)]
        drawn = self._draw(call)
        for fault, threshold in self._thresholds:
            if drawn < threshold:
                return fault if fault.strikes(call) else None
        return None

    def _draw(self, call: Call) -> float:
        """Return a number from 0 to 1: the same for the same request that comes for the same time."""
        said = repr((call.method, call.path, call.query, call.content)).encode(errors="surrogatepass")
        request = blake2b(said, digest_size=16).digest()
        self._came[request] += 1
        digest = blake2b(b"%s %d" % (self._salt, self._came[request]), digest_size=8, key=request).digest()
        return int.from_bytes(digest) / 2**64


def carry_out(fault: Fault, call: Call, api: Api) -> Answer:
    """Let the API answer a call that was struck, and somebody else meddle; status 0 if it is not asked at all."""
    if not fault.applied:
        return Answer(0, b"")
    contact = api.written_contact(call) if fault.before is not None else None
    if fault.before is not None and contact is not None:
        fault.before(api.store, contact)
    answer = api.answer(call)
    if fault.after is not None and answer.status == 200:
        ids = [item["id"] for item in json.loads(answer.content) if "id" in item]
        for number in ids:
            fault.after(api.store, api.store.contacts[number])
    return answer


def known_fault(name: str) -> Fault:
    """
    Return the fault of a name.

    :raises ValueError: if there is none.
    """
    if name not in FAULTS:
        raise ValueError(f"{name!r} is no fault that the sandbox knows; it knows {', '.join(FAULTS)}")
    return FAULTS[name]


def _thresholds(shares: Mapping[str, float]) -> list[tuple[Fault, float]]:
    """Return each fault with the end of its part of the numbers from 0 to 1."""
    thresholds, total = [], 0.0
    for name, share in shares.items():
        fault = known_fault(name)
        if not 0 <= share <= 1:
            raise ValueError(f"the share of {name} is {share}, and has to be a number from 0 to 1")
        total += share
        thresholds.append((fault, total))
    if total > 1 + 1e-9:
        raise ValueError(f"the shares of the faults add up to {total:g}, and may be 1 together at most")
    return thresholds


def _for_writes(name: str) -> Fault:
    fault = known_fault(name)
    if fault.strikes in (_reads_contacts, _asks_in):
        raise ValueError(f"{name} strikes reads, and for a chosen contact only writes are struck")
    return fault
