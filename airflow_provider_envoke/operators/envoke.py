"""The Envoke operators."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from airflow_provider_envoke.core import protocol
from airflow_provider_envoke.core.consent import check_consent, may_undo_withdrawal
from airflow_provider_envoke.core.masking import mask_emails
from airflow_provider_envoke.core.payload import Nulls, OnOverlong, PayloadRules, build_payload, check_choice
from airflow_provider_envoke.core.rendered import check_rendered_nulls, read_payload, read_rows
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeNotFoundError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators.lineage import operator_lineage
from airflow_provider_envoke.operators.metrics import count_update
from airflow_provider_envoke.operators.outcome import hopeless_failures_end_the_task
from airflow_provider_envoke.operators.sync import BaseEnvokeSyncOperator

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow.providers.common.compat.sdk import Context, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage

OnMissing = Literal["fail", "skip", "create"]


class EnvokeUpdateContactOperator(BaseOperator):
    """
    Update one contact in Envoke (article 1697196).

    What cannot succeed on a second try (credentials, a refused or invalid payload, an unknown contact) fails
    the task at once, whatever its ``retries``; what may pass is retried within the task, as the connection
    says, and after that by Airflow.

    .. warning::
        With ``keyfield="remote_id"``, two contacts can come to share one e-mail address, and such a person may
        get every message twice. Envoke's support must have switched off the account's duplicate check first.

    :param payload: field -> value: a dict with templates anywhere in it, an ``XComArg``, a JSON text, or a
        template that renders to the ``repr`` of a dict, such as ``"{{ ti.xcom_pull(task_ids='query')[0] }}"``.
        Custom fields and tags are ``{"custom_fields": {"plan": "gold"}, "interests": {"Newsletter": "Set"}}``.
        A warehouse's types become text by the rules of :mod:`airflow_provider_envoke.core.values`. (templated)
    :param keyfield: ``"id"``, ``"email"`` or ``"remote_id"``: by which field the contact is found. By default by
        its id, or by its e-mail address if there is no id. (templated)
    :param contact_id: Envoke's id of the contact, 1 … 4294967295, if the payload has none. (templated)
    :param envoke_conn_id: the Airflow connection. (templated)
    :param nulls: ``"ignore"`` leaves null fields out; ``"clear"`` empties them in Envoke, except e-mail
        address, keys, consent and tags.
    :param on_overlong: ``"reject"`` refuses a value longer than Envoke documents; ``"truncate"`` cuts it, except
        e-mail address, remote id, language and consent description.
    :param extra_fields: names of fields that Envoke's documentation does not list (yet); sent as text.
    :param on_missing: what to do if no contact has the key: ``"fail"``, ``"skip"`` the task, or ``"create"``
        the contact.
    :param consent_guard: whether to read the contact first, and who else has the payload's e-mail address, if the
        payload sets a consent status, and to refuse to write over that of somebody who has revoked consent or
        reported spam (CASL).
    :param return_contact: whether the XCom also holds the service's whole answer, personal data included.
    :return: ``{"id": …, "action": "updated" | "created" | "skipped", "fields": [names sent]}``; with
        ``return_contact`` also ``"answer"``.
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
        self.consent_guard = consent_guard
        self.return_contact = return_contact
        self._written: int | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Send the update and return what was done.

        :raises AirflowFailException: if trying again cannot help.
        :raises AirflowSkipException: if the contact does not exist and ``on_missing`` is ``"skip"``.
        :raises EnvokeTransientError: if trying again may help.
        """
        started_s, outcome = time.monotonic(), "failed"
        try:
            with hopeless_failures_end_the_task():
                result = self._update()
            outcome = result["action"]
        finally:
            count_update(outcome, time.monotonic() - started_s, self)
        self._written = 0 if result["action"] == "skipped" else 1
        if result["action"] == "skipped":
            context["ti"].xcom_push(key="return_value", value=result)
            raise AirflowSkipException("No contact has this key, and on_missing is 'skip'.")
        self.log.info("Contact %s: %s (%s).", result["id"], result["action"], ", ".join(result["fields"]))
        return result

    def dry_run(self) -> None:
        """Log the request that would be sent, without credentials and with e-mail addresses masked."""
        request = protocol.update_contact(
            self._build_payload(), contact_id=self.contact_id, keyfield=self.keyfield
        )
        self.log.info("Would send %s %s", request.method, mask_emails(request.target))
        self.log.info("with the body %s", mask_emails(json.dumps(request.body, ensure_ascii=False, indent=2)))

    def get_openlineage_facets_on_complete(
        self,
        task_instance: Any,  # noqa: ARG002 - Airflow's signature
    ) -> OperatorLineage[Any, Any] | None:
        """Return what OpenLineage records."""
        return operator_lineage(self.envoke_conn_id, self._written)

    def _build_payload(self) -> dict[str, Any]:
        check_choice("on_missing", self.on_missing, get_args(OnMissing))
        rules = PayloadRules(self.nulls, self.on_overlong, self.extra_fields)
        row = read_payload(self.payload)
        check_rendered_nulls(row)
        return build_payload(row, rules)

    def _update(self) -> dict[str, Any]:
        payload = self._build_payload()
        key, value = protocol.resolve_key(payload, self.contact_id, self.keyfield)
        if key == "remote_id":
            self.log.warning(protocol.REMOTE_ID_WARNING)
        with EnvokeHook(self.envoke_conn_id) as hook:
            if self.consent_guard and may_undo_withdrawal(payload):
                self._check_consent(hook, payload, {key: value})
            try:
                action, answer = (
                    "updated",
                    hook.update_contact(payload, contact_id=self.contact_id, keyfield=self.keyfield),
                )
            except EnvokeNotFoundError:
                if self.on_missing == "fail":
                    raise
                action, answer = self._handle_missing(hook, payload, key)
        return self._result(action, payload, answer)

    def _check_consent(self, hook: EnvokeHook, payload: dict[str, Any], key: dict[str, Any]) -> None:
        """Look at the contact, and at who else has the e-mail address it is to have: consent is a person's."""
        email = {"email": payload["email"]} if payload.get("email") else key
        for filters in (key,) if email == key else (key, email):
            check_consent(payload, hook.find_contacts(filters, fields=["id", "consent_status"]))

    def _handle_missing(
        self, hook: EnvokeHook, payload: dict[str, Any], key: protocol.Keyfield
    ) -> tuple[str, dict[str, Any]]:
        if self.on_missing == "skip":
            return "skipped", {}
        if key == "id":
            raise EnvokeConfigError(
                "on_missing='create' cannot create a contact by its id, which Envoke gives itself: find contacts "
                "by email or remote_id."
            )
        body = {name: value for name, value in payload.items() if name != "id"}
        # By e-mail the upsert can be sent twice without harm. By remote_id it could match another contact that
        # has the e-mail address, so there a second contact with this address is refused by the service.
        return "created", hook.create_contact(body, upsert=key == "email")

    def _result(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        data = answer.get("result_data")
        contact_id = str(data.get("id") or "") if isinstance(data, dict) else ""
        result: dict[str, Any] = {
            "id": int(contact_id) if contact_id.isdecimal() else None,
            "action": action,
            "fields": _field_names(payload) if answer else [],
        }
        if self.return_contact:
            result["answer"] = answer
        return result


def _field_names(payload: dict[str, Any]) -> list[str]:
    """Names of the fields that were sent, members of groups with their group: ``custom_fields.plan``."""
    return sorted(
        f"{name}.{member}" if member else name
        for name, value in payload.items()
        for member in (value if isinstance(value, dict) else (None,))
        if name != "id"
    )


class EnvokeSyncContactsOperator(BaseEnvokeSyncOperator):
    """
    Bring a list of dicts from XCom into Envoke, sending only what changed.

    All other arguments are those of :class:`~airflow_provider_envoke.operators.sync.BaseEnvokeSyncOperator`.

    :param rows: a list of dicts, column -> value: an ``XComArg`` such as ``query.output``, or a template that
        renders to JSON or to the ``repr`` of such a list. (templated)
    """

    template_fields: Sequence[str] = ("rows", *BaseEnvokeSyncOperator.template_fields)
    template_fields_renderers = {"rows": "json", **BaseEnvokeSyncOperator.template_fields_renderers}  # noqa: RUF012

    def __init__(self, *, rows: list[dict[str, Any]] | str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows

    def execute(self, context: Context) -> dict[str, Any]:
        """Bring the rows over; see :meth:`BaseEnvokeSyncOperator.sync` for what it returns and raises."""
        with hopeless_failures_end_the_task():
            rows = read_rows(self.rows)
        return self.sync(context, rows, total_rows=len(rows))
