"""The Envoke operators, and what DAGs use with them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from airflow_provider_envoke.envoke.fields import as_contact_id, resolve_key
from airflow_provider_envoke.envoke.messages import check_choice
from airflow_provider_envoke.envoke.requests import REMOTE_ID_WARNING, create_missing, update_contact
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeNotFoundError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators._lineage import operator_lineage
from airflow_provider_envoke.operators._outcome import count_update, fail_without_retry, push_result, set_result
from airflow_provider_envoke.operators._sync import BaseEnvokeSyncOperator
from airflow_provider_envoke.operators._templated import (
    check_rendered_nulls,
    check_rendered_rows,
    read_payload,
    read_rows,
)
from airflow_provider_envoke.operators._update import guarded, rejection, result_of, unguarded, with_advice
from airflow_provider_envoke.payload.build import Nulls, OnOverlong, PayloadRules, build_payload, spelled_key
from airflow_provider_envoke.payload.columns import column_names, row_as_dict
from airflow_provider_envoke.payload.mapping import FieldMap
from airflow_provider_envoke.sync.options import OnWithdrawn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_envoke.envoke.fields import Keyfield
    from airflow_provider_envoke.sync.compare import Decision

OnMissing = Literal["fail", "skip", "create"]

_CONSENT_KEPT = (
    "The person has revoked consent or reported spam: %s kept as in Envoke. If the person has opted in again, "
    "record that in Envoke."
)
_EXPRESSION = re.compile(r"\s*\{\{[^{}]*\}\}\s*")


class EnvokeUpdateContactOperator(BaseOperator):
    """
    Update one contact in Envoke (article 1697196).

    Failures that a retry cannot help (rejected credentials, an invalid payload, an unknown contact) fail the task
    without retries. Failures that may be temporary are retried within the task, as the connection says, and then
    by Airflow.

    .. warning::
        With ``keyfield="remote_id"``, two contacts can end up with the same email address, and such a person may
        get every message twice. Envoke's support must first switch off the account's duplicate check.

    :param payload: field -> value: a dict with templates anywhere in it, an ``XComArg``, a JSON text, or a
        template that renders to the ``repr`` of a dict, such as
        ``"{{ (ti.xcom_pull(task_ids='query') or [none])[0] }}"``.
        Custom fields and tags are ``{"custom_fields": {"plan": "gold"}, "interests": {"Newsletter": "Set"}}``.
        :mod:`airflow_provider_envoke.envoke.values` says how a warehouse's types become text. (templated)
    :param keyfield: ``"id"``, ``"email"`` or ``"remote_id"``: the field that finds the contact; by default the id,
        or the email address if there is no id. (templated)
    :param contact_id: Envoke's id of the contact, 1 … 4294967295, if the payload has none. (templated)
    :param envoke_conn_id: the Airflow connection. (templated)
    :param nulls: ``"ignore"`` leaves null fields out; ``"clear"`` empties them in Envoke, except the email
        address, keys, consent and tags.
    :param on_overlong: ``"reject"`` refuses a value longer than Envoke documents; ``"truncate"`` cuts it, except
        the email address, remote id, language and consent description.
    :param extra_fields: names of fields that Envoke's documentation does not list yet; sent as text.
    :param on_missing: what to do if no contact has the key: ``"fail"``, ``"skip"`` the task, or ``"create"``
        the contact.
    :param on_withdrawn: what to do if the person has revoked consent or reported spam (CASL) and the payload has
        another consent: ``"keep"`` leaves the consent and its description as they are and sends the rest;
        ``"reject"`` fails the task. A contact that does not exist is not created then.
    :param consent_guard: if the payload has a consent, first read the contact and the contacts with its email
        address, and never replace a withdrawn consent.
    :param return_contact: whether the XCom also holds the service's whole answer, which is personal data.
    :return: ``{"id": …, "action": "updated" | "created" | "unchanged" | "skipped", "fields": [names sent]}``; with
        ``return_contact`` also ``"answer"``; ``"consent_kept": True`` if a withdrawn consent was kept. The action
        is ``"unchanged"``, and nothing is sent, if the payload has nothing else.
    """

    template_fields: Sequence[str] = ("payload", "keyfield", "contact_id", "envoke_conn_id")
    template_fields_renderers = {"payload": "json"}  # noqa: RUF012 - Airflow declares it as a plain attribute
    ui_color = "#dcedc8"

    def __init__(
        self,
        *,
        payload: dict[str, Any] | str | XComArg,
        keyfield: str | None = None,
        contact_id: int | str | None = None,
        envoke_conn_id: str = EnvokeHook.default_conn_name,
        nulls: Nulls = "ignore",
        on_overlong: OnOverlong = "reject",
        extra_fields: Collection[str] = (),
        on_missing: OnMissing = "fail",
        on_withdrawn: OnWithdrawn = "keep",
        consent_guard: bool = True,
        return_contact: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.payload = payload
        self.keyfield = keyfield
        self.contact_id = contact_id
        self.envoke_conn_id = envoke_conn_id
        self.nulls = nulls
        self.on_overlong = on_overlong
        self.extra_fields = extra_fields
        self.on_missing = on_missing
        self.on_withdrawn = on_withdrawn
        self.consent_guard = consent_guard
        self.return_contact = return_contact
        self._written: int | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Send the update and return what was done.

        :raises AirflowFailException: if a retry cannot help.
        :raises AirflowSkipException: if the contact does not exist and ``on_missing`` is ``"skip"``.
        :raises EnvokeTransientError: if a retry may help.
        """
        started_s, outcome = time.monotonic(), "failed"
        try:
            with fail_without_retry():
                result = self._update()
            outcome = result["action"]
        finally:
            count_update(outcome, time.monotonic() - started_s, self)
            set_result(context, outcome)
        self._written = 0 if result["action"] in ("skipped", "unchanged") else 1
        if result["action"] == "skipped":
            push_result(context, self, result)
            raise AirflowSkipException("No contact has this key, and on_missing is 'skip'.")
        fields = ", ".join(result["fields"]) or "nothing sent"
        self.log.info("Contact %s: %s (%s).", result["id"], result["action"], fields)
        return result

    def dry_run(self) -> None:
        """Log the request that would be sent, without credentials and with masked values."""
        from airflow_provider_envoke.sync.preview import describe_request  # noqa: PLC0415 - only here

        payload, _ = self._build_payload()
        request = update_contact(payload, contact_id=self.contact_id, keyfield=self.keyfield)
        self.log.info("Would send %s", describe_request(request))

    def get_openlineage_facets_on_complete(
        self,
        task_instance: Any,  # noqa: ARG002 - Airflow's signature
    ) -> OperatorLineage[Any, Any] | None:
        """Return what OpenLineage records."""
        return operator_lineage(self.envoke_conn_id, self._written)

    def _build_payload(self) -> tuple[dict[str, Any], str]:
        """Return the payload, and the remote id with the space around it, if the row has any."""
        check_choice("on_missing", self.on_missing, get_args(OnMissing))
        check_choice("on_withdrawn", self.on_withdrawn, get_args(OnWithdrawn))
        rules = PayloadRules(self.nulls, self.on_overlong, self.extra_fields)
        fields = FieldMap().apply(read_payload(self.payload), rules.extra_fields)
        check_rendered_nulls("payload", fields)
        return build_payload(fields, rules), spelled_key("remote_id", fields)

    def _update(self) -> dict[str, Any]:
        payload, spelled = self._build_payload()
        key, value = resolve_key(payload, self.contact_id, self.keyfield)
        payloads = {value: payload}
        if key == "remote_id":
            self.log.warning(REMOTE_ID_WARNING)
            if spelled:  # a contact may have the remote id with the space around it
                payloads[spelled] = {**payload, "remote_id": spelled}
        with EnvokeHook(self.envoke_conn_id) as hook:
            decision = unguarded(payload, key)
            if self.consent_guard:
                decision = guarded(hook, payload, key, payloads, self.on_withdrawn)
            held = {violation.field for violation in decision.held_back}
            if held:
                self.log.warning(_CONSENT_KEPT, " and ".join(sorted(held, reverse=True)))
            to_send = [
                {name: value for name, value in each.items() if name not in held} for each in payloads.values()
            ]
            return self._send(hook, decision, to_send, key)

    def _send(
        self, hook: EnvokeHook, decision: Decision, payloads: Sequence[dict[str, Any]], key: Keyfield
    ) -> dict[str, Any]:
        kept = {"consent_kept": True} if decision.held_back else {}
        if decision.action == "unchanged":
            contact_id = as_contact_id((decision.current or {}).get("id"))
            return {**self._result("unchanged", payloads[0], {}), "id": contact_id, **kept}
        answer = self._update_existing(hook, payloads)
        if answer is not None:
            return {**self._result("updated", payloads[0], answer), **kept}
        if self.on_missing == "skip":
            return self._result("skipped", payloads[0], {})
        if decision.held_back:  # it would be a second contact of the person
            raise rejection(decision.held_back[0])
        return self._result("created", payloads[0], self._create(hook, payloads[0], key))

    def _update_existing(self, hook: EnvokeHook, payloads: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
        """Send the first payload whose contact exists, and return the answer; ``None`` if no contact exists."""
        missing: EnvokeNotFoundError | None = None
        for payload in payloads:
            try:
                return hook.update_contact(payload, contact_id=self.contact_id, keyfield=self.keyfield)
            except EnvokeNotFoundError as error:
                missing = error
        if missing is not None and self.on_missing == "fail":
            raise with_advice(missing)
        return None

    def _result(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        result = result_of(action, payload, answer)
        return {**result, "answer": answer} if self.return_contact else result

    def _create(self, hook: EnvokeHook, payload: dict[str, Any], key: Keyfield) -> dict[str, Any]:
        if key == "id":
            raise EnvokeConfigError(
                "on_missing='create' cannot create a contact by id, because Envoke assigns the ids. Use keyfield "
                "'email' or 'remote_id'."
            )
        answer: dict[str, Any] = hook.client.send(create_missing(payload, key))
        return answer


class EnvokeSyncContactsOperator(BaseEnvokeSyncOperator):
    """
    Bring rows from XCom into Envoke, sending only what changed.

    The other arguments are those of :class:`~airflow_provider_envoke.operators._sync.BaseEnvokeSyncOperator`.

    :param rows: dicts, column -> value: a list or any other iterable; an ``XComArg`` such as ``query.output``, or
        that of a mapped task, whose instances each return a row; a pandas or polars ``DataFrame``; or a template
        that renders to JSON or to the ``repr`` of a list. (templated)
    """

    template_fields: Sequence[str] = ("rows", *BaseEnvokeSyncOperator.template_fields)
    template_fields_renderers = {"rows": "json", **BaseEnvokeSyncOperator.template_fields_renderers}  # noqa: RUF012

    def __init__(self, *, rows: Iterable[Mapping[str, Any]] | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows
        self._may_have_templates = False

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render the templates, after a look at whether ``rows`` can have any: an ``XComArg`` has none."""
        # A text that is one expression renders to a list as Python writes it: in it None is a missing value, and
        # the text 'None' is a value of the row.
        is_text = isinstance(self.rows, str) and not _EXPRESSION.fullmatch(self.rows)
        self._may_have_templates = is_text or isinstance(self.rows, list | tuple)
        super().render_template_fields(context, jinja_env)

    def execute(self, context: Context) -> dict[str, Any]:
        """Bring the rows into Envoke, and return the report; see :meth:`BaseEnvokeSyncOperator.sync`."""
        return self.sync(context, self.source_rows())

    def source_rows(self) -> Iterable[Mapping[str, Any]]:
        """Return the rows that the argument ``rows`` stands for."""
        with fail_without_retry():
            rows = read_rows(self.rows)
            if self._may_have_templates:
                check_rendered_rows(rows)
        return rows


def rows_as_dicts(cursor: Any) -> list[dict[str, Any]]:
    """
    Return all rows of a cursor as dicts, column name -> value.

    Use it as the ``handler`` of ``SQLExecuteQueryOperator``: Airflow's own handlers return tuples, without the
    column names that a payload needs.

    :param cursor: a DB-API 2.0 cursor that has run a query; its rows may be of any type.
    :raises EnvokeDataError: if the statement returned no columns, or two with the same name.
    """
    names = column_names(cursor)
    return [row_as_dict(row, names) for row in cursor.fetchall()]
