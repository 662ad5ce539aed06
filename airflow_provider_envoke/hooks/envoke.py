"""The Envoke hook: an Airflow connection, and the API's methods."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, mask_secret

from airflow_provider_envoke.envoke import requests
from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.envoke.custom import custom_request
from airflow_provider_envoke.envoke.filters import check_search
from airflow_provider_envoke.envoke.lookup import Lookup, contact_ids
from airflow_provider_envoke.envoke.messages import quoted
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeError
from airflow_provider_envoke.get_provider_info import CONNECTION_BEHAVIOUR, CONNECTION_FIELDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_envoke.client.single import EnvokeClient


class EnvokeHook(BaseHook):
    """
    Read and write the contacts of an Envoke account.

    Payloads are sent as they are; :func:`airflow_provider_envoke.payload.build.build_payload` builds them from a
    warehouse's values. One session is opened at the first request and kept: use the hook as a context manager, or
    call :meth:`close`. Failures that may be temporary are retried as the connection says.

    :param envoke_conn_id: id of an Airflow connection of type ``envoke``: login is the API ID, password the
        API key, host ``https://e1.envoke.com`` by default; extras are ``timeout``, ``max_retries``,
        ``requests_per_second`` and ``ca_bundle``.
    """

    conn_name_attr = "envoke_conn_id"
    default_conn_name = "envoke_default"
    conn_type = "envoke"
    hook_name = "Envoke"

    def __init__(self, envoke_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.envoke_conn_id = envoke_conn_id

    def __enter__(self) -> EnvokeHook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_conn(self) -> EnvokeConfig:
        """
        Return the connection's checked configuration, and register its secrets with Airflow's masker.

        :raises EnvokeConfigError: if a part of the connection is missing or wrong.
        """
        connection = self._stored_connection()
        if connection.conn_type != self.conn_type:
            raise EnvokeConfigError(
                f"The connection {quoted(self.envoke_conn_id)} (envoke_conn_id) is of type "
                f"{quoted(connection.conn_type)}, not 'envoke'. Use a connection of type Envoke."
            )
        if connection.password:
            mask_secret(str(connection.password))
        config = self._read_config(connection)
        # What is sent: the trimmed key, and the Basic header, which holds it in another form.
        mask_secret(config.api_key)
        mask_secret(config.basic_credentials)
        return config

    def _stored_connection(self) -> Connection:
        if not self.envoke_conn_id:
            raise EnvokeConfigError("envoke_conn_id is empty: set a connection's id, or check its template.")
        try:
            return self.get_connection(self.envoke_conn_id)
        except AirflowNotFoundException:
            pass  # raised below, with a message that says what to do
        raise EnvokeConfigError(
            f"There is no connection {quoted(self.envoke_conn_id)} (envoke_conn_id). Add one of type Envoke, or "
            "correct the id."
        )

    def _read_config(self, connection: Connection) -> EnvokeConfig:
        try:
            return EnvokeConfig.from_connection(
                login=connection.login,
                password=connection.password,
                host=connection.host,
                port=connection.port,
                schema=connection.schema,
                extra=_read_extra(connection.extra),
            )
        except EnvokeConfigError as error:
            problem = str(error)
        raise EnvokeConfigError(f"{problem} (envoke_conn_id: {quoted(self.envoke_conn_id)})")

    @cached_property
    def client(self) -> EnvokeClient:
        """The client with its one open session."""
        from airflow_provider_envoke.client.single import EnvokeClient  # noqa: PLC0415 - imports requests

        return EnvokeClient(self.get_conn())

    def close(self) -> None:
        """Close the session, if one is open. The next request opens a new one."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.close()

    def update_contact(
        self, payload: Mapping[str, Any], *, contact_id: int | str | None = None, keyfield: str | None = None
    ) -> dict[str, Any]:
        """
        Update one contact (article 1697196) and return the service's answer.

        :param payload: field -> value; only these fields are changed.
        :param contact_id: Envoke's id of the contact, 1 … 4294967295; or give it as the payload's ``id``.
        :param keyfield: ``"id"``, ``"email"`` or ``"remote_id"``: the field of the payload that finds the contact;
            by default the id, or the email address if there is no id.
            With ``"remote_id"``, two contacts can end up with the same email address.
        :return: the envelope: ``{"success": True, "result_text": …, "result_data": {"id": …, …}}``.
        :raises EnvokeConfigError: if the arguments or the connection are invalid.
        :raises EnvokeDataError: if the key is missing or contradicts the payload, or there is nothing to update.
        :raises EnvokeAPIError: if the service refuses; see :mod:`airflow_provider_envoke.exceptions`.
        """
        request = requests.update_contact(payload, contact_id=contact_id, keyfield=keyfield)
        answer: dict[str, Any] = self.client.send(request)
        return answer

    def create_contact(self, payload: Mapping[str, Any], *, upsert: bool = False) -> dict[str, Any]:
        """
        Create one contact (article 1697195) and return the service's answer.

        :param payload: field -> value; ``email`` is required.
        :param upsert: update the contact instead, if one has this email address or id. Without it, the request is
            not retried once it may have arrived.
        :return: the envelope: ``{"success": True, "result_text": …, "result_data": {"id": …, …}}``.
        :raises EnvokeDataError: if there is no ``email``.
        :raises EnvokeAPIError: if the service refuses, for example because the contact exists.
        """
        answer: dict[str, Any] = self.client.send(requests.create_contact(payload, upsert=upsert))
        return answer

    def get_contact(
        self, key: int | str, *, keyfield: str | None = None, fields: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """
        Return one contact. An email address finds it in any case; another contact is never taken for it.

        :param key: the contact's id, email address or remote id.
        :param keyfield: ``"id"``, ``"email"`` or ``"remote_id"``: the field that holds the key; by default
            ``"id"`` for a whole number, and ``"email"`` otherwise.
        :param fields: names of the fields to return; all by default.
        :raises EnvokeNotFoundError: if no contact has this key.
        :raises EnvokeDataError: if several contacts have it, or the key is invalid.
        """
        check_search({}, fields)
        lookup = Lookup(key, keyfield, fields)
        return lookup.pick(self.client.send(request) for request in lookup.requests)

    def delete_contact(self, key: int | str, *, keyfield: str | None = None) -> None:
        """
        Delete one contact. By email address or remote id it is looked up first, and deleted by its id.

        **Envoke advises the consent status Revoked instead** (article 1690800): it forgets a deleted contact, and
        with it a "no", so the next import may bring the person back, and they get mail again. In Envoke's own
        interface, contacts who revoked consent or reported spam cannot be deleted. Article 1697226 mentions a
        DELETE, but no page describes it; it is "not always allowed".

        If it is sent again after a temporary failure and then finds no contact, that counts as done.

        :param key: the contact's id, email address or remote id.
        :param keyfield: the field that holds the key; see :meth:`get_contact`. A text of digits needs it.
        :raises EnvokeNotFoundError: if no contact has this key.
        :raises EnvokeRejectedError: if Envoke refuses to delete the contact.
        :raises EnvokeDataError: if several contacts have the key, or the key is invalid.
        """
        lookup = Lookup(key, keyfield, ["id"])
        if keyfield is None and lookup.keyfield == "id" and isinstance(key, str):  # perhaps a remote id
            raise EnvokeConfigError("Say what the key is: keyfield='id' or keyfield='remote_id'.")
        if lookup.keyfield == "id":
            contact_id = int(lookup.value)
        else:
            (contact_id,) = contact_ids([self.get_contact(key, keyfield=keyfield, fields=["id"])])
        self.client.send(requests.delete_contact(contact_id))
        self.log.info("Deleted the contact %d.", contact_id)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
    ) -> Any:
        """
        Send a request that this hook has no method for. Return the answer's JSON, or ``None`` if it is empty.

        Retries, limits and masked messages are those of the other methods. A POST is not sent again once it may
        have arrived. A DELETE that is sent again and finds nothing counts as done. Nothing guards consent.

        :param method: ``"GET"``, ``"POST"``, ``"PUT"``, ``"PATCH"`` or ``"DELETE"``.
        :param path: such as ``"/v2/tags/7/contacts"``; messages show segments with a digit as ``{id}``.
        :param params: query parameters: texts, whole numbers, or lists of them.
        :param body: a dict or a list, sent as JSON.
        :raises EnvokeConfigError: if an argument is invalid.
        :raises EnvokeAPIError: if the service refuses, also with ``"success": false``.
        """
        return self.client.send(custom_request(method, path, params=params, body=body))

    def find_contacts(
        self,
        filters: Mapping[str, Any],
        *,
        fields: Sequence[str] | None = None,
        sort: Mapping[str, str] | None = None,
        extra_fields: Collection[str] = (),
    ) -> Iterator[dict[str, Any]]:
        """
        Yield the contacts that match all filters, read in pages of 100 (article 1697197).

        :param filters: field -> value, or field -> {operator: value} with the operators of article 1674395:
            ``{"email": {"$in": ["a@example.com", "b@example.com"]}}``. An empty dict matches every contact. A
            custom field is ``custom_fields.NAME``. The contacts with a tag or subscription are
            ``{"interests": "Newsletter"}``; Envoke documents operators "after MongoDB", but no filter by tag, so
            compare the tags of what is returned.
        :param fields: names of the fields to return; all by default.
        :param sort: field -> ``"ASC"`` or ``"DESC"``; by id by default.
        :param extra_fields: names of fields that Envoke's documentation does not list yet. Other unknown names are
            refused, because a filter on them matches nothing.
        :raises EnvokeConfigError: if a name or an operator is invalid, or the filters make the URL too long.
        :raises EnvokeAPIError: if the service refuses, for example an operator that a field does not support.
        """
        check_search(filters, fields, sort, extra_fields)
        return self.client.find_contacts(filters, fields=fields, sort=sort)

    def account(self) -> dict[str, Any]:
        """
        Return the account's settings, ``{"id": …, "name": …}``.

        :raises EnvokeAPIError: if the service refuses.
        """
        answer: dict[str, Any] = self.client.send(requests.account())
        return answer

    def test_connection(self) -> tuple[bool, str]:
        """Read the account's settings once, and return its name or what is wrong."""
        from airflow_provider_envoke.client.single import EnvokeClient  # noqa: PLC0415 - imports requests

        try:
            client = EnvokeClient(replace(self.get_conn(), max_retries=0))
            try:
                account = client.send(requests.account())
            finally:
                client.close()
        except EnvokeError as error:
            return False, str(error)
        return True, f"Connected to the Envoke account {str(account.get('name') or 'without a name')[:100]!r}."

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's extra fields for Airflow 2.11 to 3.1; later versions use the provider's metadata."""
        from wtforms import IntegerField, StringField  # noqa: PLC0415 - only Airflow's web server has it
        from wtforms.validators import Optional  # noqa: PLC0415

        kinds = {"integer": (IntegerField, int), "number": (StringField, str), "string": (StringField, str)}
        widgets = {}
        for name, field in CONNECTION_FIELDS.items():
            widget, convert = kinds[field["schema"]["type"][0]]
            default = field["schema"].get("default")
            widgets[name] = widget(
                field["label"],
                description=field["description"],
                # Airflow 3.1 passes the default on with the type of the field.
                default=None if default is None else convert(default),
                validators=[Optional()],
            )
        return widgets

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the form's labels for Airflow 2.11 to 3.1; later versions use the provider's metadata."""
        return {key.replace("-", "_"): value for key, value in CONNECTION_BEHAVIOUR.items()}


def _read_extra(extra: str | None) -> dict[str, Any]:
    """Parse the connection's extra. Airflow itself treats a broken one as empty."""
    try:
        value = json.loads(extra) if extra else {}
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise EnvokeConfigError('The connection\'s extra is not a JSON object, such as {"timeout": 30}.')
    return value
