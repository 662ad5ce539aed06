"""How the API answers one call, without the HTTP around it (articles 1697196, 1697195, 1697197)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.sandbox.documented import WITHDRAWN_STATUSES
from airflow_provider_envoke.sandbox.filters import FilterError
from airflow_provider_envoke.sandbox.listing import list_contacts
from airflow_provider_envoke.sandbox.store import reject_constant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_envoke.sandbox.store import Contact, ContactStore

# One decoder for all bodies, for speed: json.loads with an argument creates a new one for each.
_JSON = json.JSONDecoder(parse_constant=reject_constant)
_KEYFIELDS = ("id", "email", "remote_id")


@dataclass(frozen=True, slots=True)
class Call:
    """
    One call of the API.

    :param path: the decoded path, without a trailing slash.
    :param query: the decoded query parameters, in their order.
    """

    method: str
    path: str
    query: list[tuple[str, str]]
    content: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The API's answer: HTTP status and JSON."""

    status: int
    content: bytes

    @classmethod
    def of(cls, status: int, body: object) -> Answer:
        """Return an answer with this JSON body."""
        return cls(status, json.dumps(body).encode())

    def errors(self) -> list[str]:
        """Return why the API refused the call; nothing if it did not, or if a fault kept the call from it."""
        if self.status < 400:
            return []
        body = json.loads(self.content)
        return list(body["result_data"].get("errors", [body["result_text"]]))


class Api:
    """
    Answers calls of the API. It has no state beyond the store's.

    :param store: the account's contacts.
    """

    def __init__(self, store: ContactStore) -> None:
        self.store = store

    def answer(self, call: Call) -> Answer:
        """Answer one call, and change the contacts if the call is a valid write."""
        parent, _, _ = call.path.rpartition("/")
        try:
            if call.method == "PATCH" and "/v1/contacts" in (call.path, parent):
                return self._patch(call)
            if call.method == "DELETE" and parent == "/v1/contacts":
                return self._delete(call)
            if call.method == "POST" and call.path == "/v1/contacts":
                return self._post(call)
            if call.method == "GET":
                return self._get(call)
        except FilterError as error:
            return validation_failure(str(error))
        return Answer.of(404, failure("Not found"))

    def written_contact(self, call: Call) -> Contact | None:
        """Return the contact that a PATCH would update, or ``None``."""
        body = _parse_body(call.content)
        key = None if isinstance(body, Answer) or call.method != "PATCH" else _find_key(call, body)
        return None if key is None or isinstance(key, Answer) else self.store.find(*key)

    def written_keys(self, call: Call) -> set[str]:
        """Return all keys, in lower case, of the contact that a call writes or deletes; none for a read."""
        if call.method == "DELETE":
            found = self._named_in_path(call) or {}
            return {str(found[name]).lower() for name in _KEYFIELDS if found.get(name)}
        body = _parse_body(call.content)
        if call.method not in ("PATCH", "POST") or isinstance(body, Answer):
            return set()
        contact = self.written_contact(call) or body
        return {str(contact[name]).lower() for name in _KEYFIELDS if contact.get(name)}

    def _get(self, call: Call) -> Answer:
        if call.path == "/v1/contacts":
            return Answer.of(200, list_contacts(self.store, call.query))
        if call.path == "/v1/settings":
            return Answer.of(200, {"id": 1, "name": "Sandbox account"})
        group = {"/v1/interests": "interests", "/v1/autoresponders": "autoresponders"}.get(call.path)
        if group or call.path == "/v1/customfields":
            names = self._names(group or "custom_fields")
            return Answer.of(200, {str(number): name for number, name in enumerate(names, start=1)})
        return Answer.of(404, failure("Not found"))

    def _names(self, group: str) -> list[str]:
        """Return the account's custom fields or tags: those that ``strict`` lists, or else those in use."""
        if self.store.strict is not None:
            return sorted(self.store.strict.names[group])
        return sorted({name for contact in self.store.contacts.values() for name in contact[group]})

    def _patch(self, call: Call) -> Answer:
        """Update a contact: the three forms of PATCH in article 1697196."""
        body = _parse_body(call.content)
        if isinstance(body, Answer):
            return body
        key = _find_key(call, body)
        if isinstance(key, Answer):
            return key
        contact = self.store.find(*key)
        if contact is None:
            return validation_failure("Item with {} '{}' not found".format(*key))
        return self._write("Updated", contact, body)

    def _delete(self, call: Call) -> Answer:
        """
        Delete a contact. No page describes the call; only the text "Deleted" is known.

        Contacts who revoked consent or reported spam are refused: Envoke's own interface cannot delete them
        (article 1690800), and the API is "not always allowed" to [assumed].
        """
        contact = self._named_in_path(call)
        if contact is None:
            return validation_failure(f"Item with id '{call.path.rpartition('/')[2]}' not found")
        if contact["consent_status"] in WITHDRAWN_STATUSES:
            return validation_failure("Contacts who revoked consent or reported spam cannot be deleted")
        self.store.delete(contact)
        data = {"id": str(contact["id"])}
        return Answer.of(200, {"success": True, "result_text": "Deleted", "result_data": data})

    def _named_in_path(self, call: Call) -> Contact | None:
        return self.store.find("id", call.path.rpartition("/")[2])

    def _post(self, call: Call) -> Answer:
        """Create a contact or, with ``upsert=1``, update an existing one (article 1697195)."""
        body = _parse_body(call.content)
        if isinstance(body, Answer):
            return body
        query = dict(call.query)
        keyfields = [name for name in (query.get("keyfield"), "id", "email") if name in _KEYFIELDS]
        found = (self.store.find(name, body[name]) for name in keyfields if body.get(name))
        contact = next((item for item in found if item is not None), None) if query.get("upsert") == "1" else None
        return self._write("Updated" if contact else "Created", contact, body)

    def _write(self, text: str, contact: Contact | None, body: dict[str, Any]) -> Answer:
        errors = self.store.find_errors(body, contact)
        if errors:
            return validation_failure(*errors)
        if contact is None:
            contact = self.store.create(body)
        else:
            self.store.update(contact, body)
        data = {**contact, "id": str(contact["id"])}
        return Answer.of(200, {"success": True, "result_text": text, "result_data": data})


def validation_failure(*errors: str) -> Answer:
    """Return the answer to an invalid request (article 15147584)."""
    text = "Validation failed, see 'result_data' -> 'errors'"
    return Answer.of(400, failure(text, {"errors": list(errors)}))


def failure(text: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON object of a failure."""
    return {"success": False, "result_text": text, "result_data": dict(data or {})}


def _find_key(call: Call, body: Mapping[str, Any]) -> tuple[str, Any] | Answer:
    """Return the field and the value that identify the contact of a PATCH, or the answer if they are invalid."""
    contact_id = call.path.rpartition("/")[2] if call.path != "/v1/contacts" else ""
    given = body.get("id")
    if contact_id and given not in (None, "") and str(given) != contact_id:
        return validation_failure(f"Provided 'id': {contact_id} does not match 'id' in request body ({given})")
    keyfield = "id" if contact_id else dict(call.query).get("keyfield") or ("id" if given else "email")
    if keyfield not in _KEYFIELDS:
        return validation_failure(f"Invalid 'keyfield': '{keyfield}'")
    key = contact_id or body.get(keyfield)
    return (keyfield, key) if key else validation_failure(f"'{keyfield}' is required")


def _parse_body(content: bytes) -> dict[str, Any] | Answer:
    """Parse the body as JSON, whatever its content type: ``curl -d`` sends the type of a form."""
    if not content.strip():
        return validation_failure("Request body may not be empty")
    try:
        body = _JSON.decode(content.decode(json.detect_encoding(content), "surrogatepass"))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return validation_failure("Request body is not a JSON object")
    return body or validation_failure("Request body may not be empty")
