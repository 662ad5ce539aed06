"""One contact by its key: what is asked for, and which contact of the answers has the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_envoke.envoke.fields import Keyfield, as_contact_id, id_of, match_key
from airflow_provider_envoke.envoke.filters import key_filters
from airflow_provider_envoke.envoke.messages import check_choice
from airflow_provider_envoke.envoke.requests import CONTACTS_PATH, PAGE_SIZE, find_contacts
from airflow_provider_envoke.exceptions import EnvokeDataError, EnvokeNotFoundError, EnvokeTransientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_envoke.envoke.requests import Request


class Lookup:
    """
    The search for one contact.

    :param key: the contact's id, email address or remote id.
    :param keyfield: the field that holds the key; by default ``"id"`` for a whole number, otherwise ``"email"``.
    :param fields: names of the fields to return; all by default.
    :raises EnvokeConfigError: if ``keyfield`` is unknown.
    :raises EnvokeDataError: if the key is empty or does not fit the field.
    """

    def __init__(self, key: object, keyfield: str | None = None, fields: Sequence[str] | None = None) -> None:
        self.keyfield, self.value = resolve_lookup(key, keyfield)
        self._fields = fields
        asked = None if fields is None else list(dict.fromkeys([*fields, "id", self.keyfield]))
        #: An email address is asked for in both spellings.
        self.requests: list[Request] = [
            find_contacts(filters, fields=asked) for filters in key_filters(self.keyfield, self.value)
        ]

    def pick(self, pages: Iterable[Sequence[dict[str, Any]]]) -> dict[str, Any]:
        """
        Return the contact that has the key.

        Contacts without the key are left out: a service that ignores the filter returns any contacts.

        :param pages: the answers to ``requests``.
        :raises EnvokeNotFoundError: if no contact has the key.
        :raises EnvokeDataError: if several contacts have it, or the answer is no search for it.
        """
        found: dict[int, dict[str, Any]] = {}
        for page in pages:
            if len(page) >= PAGE_SIZE:
                raise EnvokeDataError(
                    f"Envoke returned {len(page)} contacts or more for one {self.keyfield}. Either all of them "
                    "have it, or Envoke ignores the filter: it is not known which one is meant. Use its id."
                )
            matches = [contact for contact in page if self._has_key(contact)]
            found.update(zip(contact_ids(matches), matches, strict=True))
        if len(found) > 1:
            raise EnvokeDataError(
                f"{len(found)} contacts have this {self.keyfield}. Merge them in Envoke, or use keyfield='id'."
            )
        for contact in found.values():
            wanted = contact if self._fields is None else self._fields
            return {name: contact[name] for name in wanted if name in contact}
        raise EnvokeNotFoundError(
            f"No contact has this {self.keyfield} (GET {CONTACTS_PATH}). Correct the key, or create the contact.",
            status=200,
            method="GET",
            path=CONTACTS_PATH,
        )

    def _has_key(self, contact: Mapping[str, Any]) -> bool:
        return match_key(self.keyfield, contact.get(self.keyfield)) == match_key(self.keyfield, self.value)


def resolve_lookup(key: object, keyfield: str | None = None) -> tuple[Keyfield, int | str]:
    """Return the field that identifies the contact, and its value; see :class:`Lookup`."""
    if keyfield is not None:
        check_choice("keyfield", keyfield, get_args(Keyfield))
    if isinstance(key, bool) or not isinstance(key, int | str):
        raise EnvokeDataError(f"key must be text or a whole number, not {type(key).__name__}.")
    text = str(key).strip()
    if not text:
        raise EnvokeDataError("key is empty. Check the template or the value that it comes from.")
    if keyfield == "id" or (keyfield is None and text.isascii() and text.isdigit()):
        return "id", _as_id(text)
    if keyfield == "remote_id":
        return "remote_id", str(key)
    if "@" not in text:
        raise EnvokeDataError(
            "key is neither a contact id nor an email address. If it is your own id, set keyfield='remote_id'."
        )
    return "email", text


def _as_id(text: str) -> int:
    try:
        number = as_contact_id(text)
    except ValueError as error:
        problem = str(error)
    else:
        if number is not None:
            return number
        problem = "must not be null"
    raise EnvokeDataError(f"key {problem}, because keyfield is 'id'.")


def contact_ids(contacts: Iterable[Mapping[str, Any]]) -> list[int]:
    """
    Return the ids of contacts.

    :raises EnvokeTransientError: if a contact has no id.
    """
    ids = []
    for contact in contacts:
        number = id_of(contact)
        if number is None:
            raise EnvokeTransientError(
                f"Envoke's response to GET {CONTACTS_PATH} cannot be used: a contact in it has no id. Retry the "
                "task.",
                status=200,
                method="GET",
                path=CONTACTS_PATH,
            )
        ids.append(number)
    return ids
