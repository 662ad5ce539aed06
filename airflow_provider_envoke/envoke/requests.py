"""The requests of the Contacts API (article 1697196) as plain values. Nothing is sent here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote_plus

from airflow_provider_envoke.envoke.fields import Keyfield, check_key, check_object, is_filled, resolve_key
from airflow_provider_envoke.envoke.json_values import describe_not_json
from airflow_provider_envoke.envoke.messages import quoted
from airflow_provider_envoke.envoke.values import as_text
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTACTS_PATH = "/v1/contacts"
CONTACT_PATH = "/v1/contacts/{id}"
SETTINGS_PATH = "/v1/settings"

#: Contacts per page, the maximum of the service (article 1697197).
PAGE_SIZE = 100

#: Maximum length of path and query. nginx rejects request lines over 8 kB by default [assumed].
MAX_URL_BYTES = 7_500

_MAX_FILTER_DEPTH = 10
_FILTER_NAME = re.compile(r"\$?[A-Za-z0-9_.]+")

REMOTE_ID_WARNING = (
    "keyfield='remote_id': two contacts can end up with the same email address, and that person may then get "
    "every message twice. Envoke support must switch off the account's duplicate check first (article 1697196)."
)


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request, without host and credentials.

    :param path_template: path without the id, safe to show in a message.
    :param expects: shape of a successful answer: an ``envelope`` with ``success``, an ``object`` or a ``list`` of
        objects.
    :param idempotent: whether sending it twice has the same effect as sending it once.
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

        :raises EnvokeDataError: if a value cannot be represented in JSON.
        """
        if self.body is None:
            return None
        try:
            text = json.dumps(self.body, allow_nan=False)
            if "\\ud" in text:  # a lone surrogate is escaped without an error, but cannot be decoded
                json.dumps(self.body, ensure_ascii=False).encode()
            return text.encode("ascii")
        except (TypeError, ValueError, RecursionError):
            pass  # raised below: json's message quotes values and must not be chained
        found = describe_not_json(self.body)
        raise EnvokeDataError(
            f"The payload contains a value that cannot be represented in JSON{f' ({found})' if found else ''}. "
            "Convert it to text first, for example with airflow_provider_envoke.payload.build.build_payload."
        )

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path_template})"


def update_contact(
    payload: Mapping[str, Any], *, contact_id: object = None, keyfield: str | None = None
) -> Request:
    """
    Build the PATCH that updates a contact (article 1697196); see :func:`resolve_key` for the arguments.

    The id is never sent in the body: it cannot be changed, and the service would use it to find the contact.

    :raises EnvokeConfigError: see :func:`resolve_key`.
    :raises EnvokeDataError: see :func:`resolve_key`; also if the payload contains nothing but the key.
    """
    key, value = resolve_key(payload, contact_id, keyfield)
    body = {name: member for name, member in payload.items() if name != "id"}
    if not body.keys() - {key}:
        raise EnvokeDataError(
            f"The payload contains nothing to update besides its key ({key}). Add a field to change. (The "
            "operators leave null values out, unless they are given nulls='clear'.)"
        )
    if key == "id":
        return Request("PATCH", f"{CONTACTS_PATH}/{value}", CONTACT_PATH, body=body)
    params = (("keyfield", key),) if key == "remote_id" else ()
    return Request("PATCH", CONTACTS_PATH, CONTACTS_PATH, params=params, body=body)


def create_contact(payload: Mapping[str, Any], *, upsert: bool = False) -> Request:
    """
    Build the POST that creates a contact (article 1697195), or with ``upsert`` updates it if it exists.

    Without ``upsert``, sending the request twice may create two contacts.

    :raises EnvokeDataError: if the payload has no email address.
    """
    check_object("payload", payload)
    if not is_filled(payload, "email"):
        raise EnvokeDataError("The payload has no email, which is required to create a contact. Add it.")
    check_key("email", payload["email"])
    params = (("upsert", "1"),) if upsert else ()
    return Request("POST", CONTACTS_PATH, CONTACTS_PATH, params=params, body=dict(payload), idempotent=upsert)


def create_missing(payload: Mapping[str, Any], keyfield: Keyfield) -> Request:
    """
    Build the POST that creates a contact that was not found by its key.

    By email, an upsert can be sent twice without harm. By ``remote_id`` it could update another contact that has
    the email address, so there the service must refuse a second contact with that address. The id is left out: an
    upsert would update the contact that has it.
    """
    body = {name: value for name, value in payload.items() if name != "id"}
    return create_contact(body, upsert=keyfield == "email")


def find_contacts(
    filters: Mapping[str, Any],
    *,
    fields: Sequence[str] | None = None,
    sort: Mapping[str, str] | None = None,
    skip: int = 0,
) -> Request:
    """
    Build the GET of one page of up to :data:`PAGE_SIZE` contacts (article 1697197; operators: article 1674395).

    :param filters: field -> value, or field -> {operator: value} with ``$in``, ``$ne``, ``$gt`` and so on.
    :param fields: names of the fields to return, by default all.
    :param sort: field -> ``ASC`` or ``DESC``, by default id ascending, so that pages do not overlap.
    :param skip: number of contacts to skip.
    :raises EnvokeConfigError: if a name, a value or a sort order is invalid, or the URL is too long.
    :raises EnvokeDataError: if ``filters`` or ``sort`` is not a dict.
    """
    check_object("filters", filters)
    check_object("sort", sort or {})
    params = [("limit", str(PAGE_SIZE))]
    if skip:
        params.append(("skip", str(skip)))
    for name, order in (sort or {"id": "ASC"}).items():
        if order not in ("ASC", "DESC"):
            raise EnvokeConfigError(f"sort must be ASC or DESC, not {quoted(order)}.")
        params.append((f"sort[{_name(name)}]", order))
    if fields:
        params.append(("fields", ",".join(_names(fields))))
    for name, value in filters.items():
        params.extend(_filter_params(f"filter[{_name(name)}]", value))
    request = Request("GET", CONTACTS_PATH, CONTACTS_PATH, params=tuple(params), expects="list")
    if len(request.target) > MAX_URL_BYTES:
        raise EnvokeConfigError(
            f"The filters need a URL of {len(request.target)} bytes, but the limit is {MAX_URL_BYTES}. Use fewer "
            "values per request."
        )
    return request


class ContactPages:
    """
    The pages of a search, for clients that send the requests themselves.

    Its state: ``request``, the next page to ask for, or ``None`` after the last page::

        pages = ContactPages({"city": "Montreal"})
        while pages.request:
            contacts += pages.take(client.send(pages.request))

    The arguments and exceptions are those of :func:`find_contacts`.
    """

    def __init__(
        self,
        filters: Mapping[str, Any],
        *,
        fields: Sequence[str] | None = None,
        sort: Mapping[str, str] | None = None,
    ) -> None:
        self._page_from = partial(find_contacts, filters, fields=fields, sort=sort)
        self._skip = 0
        self.request: Request | None = self._page_from()

    def take(self, page: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """
        Return a page and move on to the next one. A page shorter than :data:`PAGE_SIZE` is the last.

        :param page: the answer to ``request``.
        """
        self._skip += len(page)
        self.request = self._page_from(skip=self._skip) if len(page) >= PAGE_SIZE else None
        return page


def account() -> Request:
    """Build the GET of the account's settings, which shows whether the credentials are valid."""
    return Request("GET", SETTINGS_PATH, SETTINGS_PATH, expects="object")


def _names(names: object) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise EnvokeConfigError(f"fields must be a list of field names, not {type(names).__name__}.")
    return [_name(name) for name in names]


def _name(name: object) -> str:
    """Return the name of a field or operator if it is valid."""
    if not isinstance(name, str) or not _FILTER_NAME.fullmatch(name):
        raise EnvokeConfigError(
            f"{quoted(name)} is not a valid name of a field or operator. Use ASCII letters, digits, _ and . only."
        )
    return name


def _filter_params(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the query parameters of a filter, nested in the form that PHP reads."""
    if prefix.count("[") > _MAX_FILTER_DEPTH:
        raise EnvokeConfigError("The filters are nested too deeply. Use field -> {operator: value}.")
    if isinstance(value, dict | list | tuple) and not value:
        # It would not appear in the URL, so every contact of the account would match.
        raise EnvokeConfigError(f"{prefix} is empty, which would match every contact. Remove it or add a value.")
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
            f"The value of {prefix} must be text or a whole number, not {type(value).__name__}."
        )


def _filter_text(prefix: str, value: str | int) -> str:
    try:
        return as_text(value) or ""
    except ValueError as error:
        raise EnvokeConfigError(f"The value of {prefix} is invalid: {error}.") from None
