"""The requests of the Contacts API (article 1697196) as plain values. Nothing is sent here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote_plus

from airflow_provider_envoke.envoke.fields import Keyfield, check_key, check_object, is_filled, resolve_key
from airflow_provider_envoke.envoke.filters import field_name, field_names, filter_params
from airflow_provider_envoke.envoke.json_values import describe_not_json
from airflow_provider_envoke.envoke.messages import quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONTACTS_PATH = "/v1/contacts"
CONTACT_PATH = "/v1/contacts/{id}"
SETTINGS_PATH = "/v1/settings"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

#: Contacts per page, the maximum of the service (article 1697197).
PAGE_SIZE = 100

#: Maximum length of path and query. nginx rejects request lines over 8 kB by default [assumed].
MAX_URL_BYTES = 7_500

REMOTE_ID_WARNING = (
    "keyfield='remote_id': two contacts can end up with the same email address, and that person may then get "
    "every message twice. Envoke support must switch off the account's duplicate check first (article 1697196)."
)


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request, without host and credentials.

    :param path_template: path without the id, safe to show in a message.
    :param expects: shape of a successful answer: an ``envelope`` with ``success``, an ``object``, a ``list`` of
        objects, or ``any``: JSON or nothing.
    :param idempotent: whether sending it twice has the same effect as sending it once.
    """

    method: Method
    path: str
    path_template: str
    params: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | Sequence[Any] | None = None
    expects: Literal["envelope", "object", "list", "any"] = "envelope"
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
    limit: int = PAGE_SIZE,
) -> Request:
    """
    Build the GET of one page of up to :data:`PAGE_SIZE` contacts (article 1697197; operators: article 1674395).

    :param filters: field -> value, or field -> {operator: value} with ``$in``, ``$ne``, ``$gt`` and so on.
    :param fields: names of the fields to return, by default all.
    :param sort: field -> ``ASC`` or ``DESC``, by default id ascending, so that pages do not overlap.
    :param skip: number of contacts to skip.
    :param limit: number of contacts to return, at most :data:`PAGE_SIZE`.
    :raises EnvokeConfigError: if a name, a value or a sort order is invalid, or the URL is too long.
    :raises EnvokeDataError: if ``filters`` or ``sort`` is not a dict.
    """
    check_object("filters", filters)
    check_object("sort", sort or {})
    params = [("limit", str(limit))]
    if skip:
        params.append(("skip", str(skip)))
    for name, order in (sort or {"id": "ASC"}).items():
        if order not in ("ASC", "DESC"):
            raise EnvokeConfigError(f"sort must be ASC or DESC, not {quoted(order)}.")
        params.append((f"sort[{field_name(name)}]", order))
    if fields:
        params.append(("fields", ",".join(field_names(fields))))
    for name, value in filters.items():
        params.extend(filter_params(f"filter[{field_name(name)}]", value))
    request = Request("GET", CONTACTS_PATH, CONTACTS_PATH, params=tuple(params), expects="list")
    if len(request.target) > MAX_URL_BYTES:
        raise EnvokeConfigError(
            f"The filters need a URL of {len(request.target)} bytes, but the limit is {MAX_URL_BYTES}. Use fewer "
            "values per request."
        )
    return request


def delete_contact(contact_id: int) -> Request:
    """
    Build the DELETE of a contact. No page of Envoke describes it, nor its answer.

    :param contact_id: as :func:`airflow_provider_envoke.envoke.fields.as_contact_id` returns it.
    """
    return Request("DELETE", f"{CONTACTS_PATH}/{contact_id}", CONTACT_PATH, expects="any")


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
