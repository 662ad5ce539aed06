"""The requests that Envoke takes (article 1697196), as plain values: no input, no output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import quote_plus

from airflow_provider_envoke.core.masking import quoted
from airflow_provider_envoke.core.payload import as_contact_id, check_choice
from airflow_provider_envoke.core.values import as_text
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Keyfield = Literal["id", "email", "remote_id"]

CONTACTS_PATH = "/v1/contacts"
CONTACT_PATH = "/v1/contacts/{id}"
SETTINGS_PATH = "/v1/settings"

#: Contacts a page: the most that the service gives (article 1697197).
PAGE_SIZE = 100

#: nginx refuses a request line of over 8 kB by default [assumed]; the host and the method need some of it.
MAX_URL_BYTES = 7_500

_MAX_FILTER_DEPTH = 10
_FILTER_NAME = re.compile(r"\$?[A-Za-z0-9_.]+")

REMOTE_ID_WARNING = (
    "keyfield='remote_id': two contacts can come to share one e-mail address, and such a person may get every "
    "message twice. Envoke's support must have switched off the account's duplicate check first "
    "(article 1697196)."
)


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request, without host and credentials.

    :param method: HTTP method.
    :param path: path with the contact's id in it.
    :param path_template: the path as it may stand in a message: without any id.
    :param params: query parameters, in their order.
    :param body: the JSON body, or ``None``.
    :param expects: shape of a success: an ``envelope`` with ``success``, a bare ``object`` or a ``list`` of them.
    :param idempotent: whether sending it twice does no more than sending it once.
    """

    method: Literal["GET", "PATCH", "POST"]
    path: str
    path_template: str
    params: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None
    expects: Literal["envelope", "object", "list"] = "envelope"
    idempotent: bool = True

    @property
    def target(self) -> str:
        """Path and query, percent-encoded."""
        query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in self.params)
        return f"{self.path}?{query}" if query else self.path

    def content(self) -> bytes | None:
        """
        Return the body as JSON.

        :raises EnvokeDataError: if it holds what JSON cannot carry.
        """
        if self.body is None:
            return None
        try:
            text = json.dumps(self.body, allow_nan=False)
            if "\\ud" in text:  # half a character is escaped like any other, and cannot be read again
                json.dumps(self.body, ensure_ascii=False).encode()
            return text.encode("ascii")
        except (TypeError, ValueError, RecursionError):
            pass  # raised below, so that no chain leads to json's message, which quotes values
        raise EnvokeDataError(
            "The payload holds a value that JSON cannot carry: convert it with "
            "airflow_provider_envoke.core.payload.build_payload first."
        )

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path_template})"


def resolve_key(
    payload: Mapping[str, Any], contact_id: object = None, keyfield: str | None = None
) -> tuple[Keyfield, Any]:
    """
    Decide by which key the contact is found, and by which value.

    An explicit ``keyfield`` wins; otherwise it is the id, then the e-mail address (article 1697196).

    :raises EnvokeConfigError: if ``keyfield`` is unknown or contradicts ``contact_id``.
    :raises EnvokeDataError: if the key is missing or empty, or the payload's id is another one.
    """
    _check_object("payload", payload)
    if keyfield is not None:
        check_choice("keyfield", keyfield, get_args(Keyfield))
    if contact_id is not None and keyfield not in (None, "id"):
        raise EnvokeConfigError(f"contact_id and keyfield={keyfield!r} contradict each other: give one of them.")
    number = _resolve_id(payload, contact_id)
    if keyfield == "id" or (keyfield is None and number is not None):
        if number is None:
            raise EnvokeDataError("keyfield is 'id', but neither contact_id nor the payload's id is given.")
        return "id", number
    if keyfield is None and not _filled(payload, "email"):
        hint = " (to find it by its remote_id, say keyfield='remote_id')" if _filled(payload, "remote_id") else ""
        raise EnvokeDataError(f"The payload has neither an id nor an email to find the contact by{hint}.")
    key: Keyfield = "remote_id" if keyfield == "remote_id" else "email"
    if not _filled(payload, key):
        raise EnvokeDataError(f"keyfield is {key!r}, but the payload's {key} is missing or empty.")
    _check_key(key, payload[key])
    return key, payload[key]


def _check_key(name: str, value: object) -> None:
    """An object could be read as a filter, and match another contact than the one that is meant."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise EnvokeDataError(f"The payload's {name} has to be text, not {type(value).__name__}.")


def _check_object(argument: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise EnvokeDataError(f"{argument} has to be a dict, field -> value, not {type(value).__name__}.")


def _resolve_id(payload: Mapping[str, Any], contact_id: object) -> int | None:
    given = _read_id("contact_id", contact_id)
    in_payload = _read_id("The payload's id", payload.get("id"))
    if contact_id is not None and given is None:
        raise EnvokeDataError("contact_id is null: check the template and what its XCom holds.")
    if given is not None and in_payload is not None and given != in_payload:
        raise EnvokeDataError("contact_id and the payload's id are two different ids: give one of them.")
    return given if given is not None else in_payload


def _read_id(name: str, value: object) -> int | None:
    try:
        return as_contact_id(value)
    except ValueError as error:
        raise EnvokeDataError(f"{name} {error}.") from None


def _filled(payload: Mapping[str, Any], name: str) -> bool:
    return bool(str(payload.get(name) or "").strip())


def update_contact(
    payload: Mapping[str, Any], *, contact_id: object = None, keyfield: str | None = None
) -> Request:
    """
    Build the PATCH in one of the three forms of article 1697196.

    ``/v1/contacts/{id}``; ``/v1/contacts`` with the e-mail address in the body;
    ``/v1/contacts?keyfield=remote_id`` with the remote id in the body. The id itself never stands in the
    body: it cannot be changed, and there the service would find the contact by it.

    :raises EnvokeConfigError: see :func:`resolve_key`.
    :raises EnvokeDataError: see :func:`resolve_key`, and if nothing but the key would be sent.
    """
    key, value = resolve_key(payload, contact_id, keyfield)
    body = {name: member for name, member in payload.items() if name != "id"}
    if not body.keys() - {key}:
        raise EnvokeDataError(
            f"The payload has nothing to update besides its key ({key}): null values are left out by default "
            "(nulls='clear' would empty the fields)."
        )
    if key == "id":
        return Request("PATCH", f"{CONTACTS_PATH}/{value}", CONTACT_PATH, body=body)
    params = (("keyfield", key),) if key == "remote_id" else ()
    return Request("PATCH", CONTACTS_PATH, CONTACTS_PATH, params=params, body=body)


def create_contact(payload: Mapping[str, Any], *, upsert: bool = False) -> Request:
    """
    Build the POST that creates a contact, or with ``upsert`` updates the one that is there (article 1697195).

    Without ``upsert`` it is not idempotent: sent twice, it may create two contacts.

    :raises EnvokeDataError: if the payload has no e-mail address.
    """
    _check_object("payload", payload)
    if not _filled(payload, "email"):
        raise EnvokeDataError("A contact cannot be created without an email.")
    _check_key("email", payload["email"])
    params = (("upsert", "1"),) if upsert else ()
    return Request("POST", CONTACTS_PATH, CONTACTS_PATH, params=params, body=dict(payload), idempotent=upsert)


def find_contacts(
    filters: Mapping[str, Any],
    *,
    fields: Sequence[str] | None = None,
    sort: Mapping[str, str] | None = None,
    skip: int = 0,
) -> Request:
    """
    Build the GET of one page of :data:`PAGE_SIZE` contacts (article 1697197; operators: article 1674395).

    :param filters: field -> value, or field -> {operator: value} with ``$in``, ``$ne``, ``$gt`` and so on.
    :param fields: names of the fields to return; all by default.
    :param sort: field -> ``ASC`` or ``DESC``; by id by default, so that pages do not overlap.
    :param skip: how many contacts to pass over.
    :raises EnvokeConfigError: if a name, an operator's value or a sort order is not valid, or the URL is too long.
    :raises EnvokeDataError: if ``filters`` or ``sort`` is no dict.
    """
    _check_object("filters", filters)
    _check_object("sort", sort or {})
    params = [("limit", str(PAGE_SIZE))]
    if skip:
        params.append(("skip", str(skip)))
    for name, order in (sort or {"id": "ASC"}).items():
        if order not in ("ASC", "DESC"):
            raise EnvokeConfigError(f"sort has to be ASC or DESC, not {quoted(order)}.")
        params.append((f"sort[{_name(name)}]", order))
    if fields:
        params.append(("fields", ",".join(_names(fields))))
    for name, value in filters.items():
        params.extend(_filter_params(f"filter[{_name(name)}]", value))
    request = Request("GET", CONTACTS_PATH, CONTACTS_PATH, params=tuple(params), expects="list")
    if len(request.target) > MAX_URL_BYTES:
        raise EnvokeConfigError(
            f"The filters make a URL of {len(request.target)} bytes, the limit is {MAX_URL_BYTES}: ask for fewer "
            "values at a time."
        )
    return request


def account() -> Request:
    """Build the GET of the account's settings: the least that shows whether the credentials work."""
    return Request("GET", SETTINGS_PATH, SETTINGS_PATH, expects="object")


def _name(name: object) -> str:
    if not isinstance(name, str) or not _FILTER_NAME.fullmatch(name):
        raise EnvokeConfigError(f"{quoted(name)} is not the name of a field or an operator.")
    return name


def _names(names: object) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise EnvokeConfigError(f"fields has to be a list of field names, not one {type(names).__name__}.")
    return [_name(name) for name in names]


def _filter_params(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Spell a filter the way PHP reads nested query parameters."""
    if prefix.count("[") > _MAX_FILTER_DEPTH:
        raise EnvokeConfigError("The filters are nested too deeply: give field -> {operator: value}.")
    if isinstance(value, dict | list | tuple) and not value:
        # It would leave no trace in the URL, and so match every contact of the account.
        raise EnvokeConfigError(f"{prefix} is empty, and without it every contact would match: leave it out.")
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _filter_params(f"{prefix}[{_name(name)}]", member)
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            suffix = f"[{index}]" if isinstance(member, dict) else "[]"
            yield from _filter_params(f"{prefix}{suffix}", member)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield prefix, _filter_text(prefix, value)
    else:
        raise EnvokeConfigError(
            f"The value of {prefix} has to be text or a whole number, not {type(value).__name__}."
        )


def _filter_text(prefix: str, value: str | int) -> str:
    try:
        return as_text(value) or ""
    except ValueError as error:
        raise EnvokeConfigError(f"The value of {prefix} cannot be sent: {error}.") from None
