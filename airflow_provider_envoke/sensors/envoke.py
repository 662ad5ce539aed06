"""The sensor that waits for contacts."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_envoke.envoke.fields import check_object
from airflow_provider_envoke.envoke.lookup import contact_ids
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeTransientError
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators._outcome import fail_without_retry
from airflow_provider_envoke.operators._templated import check_rendered_nulls
from airflow_provider_envoke.triggers.envoke import MAX_IDS, EnvokeContactTrigger, check_whole, found

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow.providers.common.compat.sdk import Context


class EnvokeContactSensor(BaseSensorOperator):
    """
    Wait until contacts match the filters.

    Wrong filters or credentials fail the task at once. Failures that may be temporary are logged, and the sensor
    goes on waiting, up to its ``timeout``. All modes of a sensor work; a deferred sensor takes no worker slot.

    :param filters: as those of :meth:`~airflow_provider_envoke.hooks.envoke.EnvokeHook.find_contacts`, such as
        ``{"custom_fields.plan": "gold"}``. While the sensor is deferred, they are stored in Airflow's database,
        encrypted if Airflow has a Fernet key. (templated)
    :param min_count: how many contacts to wait for.
    :param extra_fields: names of fields in the filters that Envoke's documentation does not list yet.
    :param envoke_conn_id: the Airflow connection. (templated)
    :param deferrable: whether to wait in the triggerer; by default as ``operators.default_deferrable`` says.
    :return: ``{"ids": [the lowest 1,000, or min_count if that is more], "count": how many ids these are, "more":
        whether more contacts match}``.
    """

    template_fields: Sequence[str] = ("filters", "envoke_conn_id")
    template_fields_renderers = {"filters": "json"}  # noqa: RUF012 - Airflow declares it as a plain attribute
    ui_color = "#dcedc8"

    def __init__(
        self,
        *,
        filters: dict[str, Any],
        min_count: int = 1,
        extra_fields: Collection[str] = (),
        envoke_conn_id: str = EnvokeHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.min_count = min_count
        self.extra_fields = extra_fields
        self.envoke_conn_id = envoke_conn_id
        self.deferrable = deferrable

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow's signature
        """Ask Envoke once."""
        result = self._find()
        return PokeReturnValue(is_done=result is not None, xcom_value=result)

    def execute(self, context: Context) -> Any:
        """
        Wait, here or in the triggerer, and return the ids of the contacts.

        :raises AirflowFailException: if waiting cannot help.
        """
        if not self.deferrable:
            return super().execute(context)
        try:
            result = self._find()
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:  # as in the other modes
                raise AirflowSkipException("The sensor cannot succeed; soft_fail or never_fail is set.") from error
            raise
        if result is None:
            trigger = EnvokeContactTrigger(
                envoke_conn_id=self.envoke_conn_id,
                filters=self.filters,
                min_count=self.min_count,
                poll_interval=max(1.0, self.poke_interval),
                extra_fields=self.extra_fields,
            )
            self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))
        return result

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return what the trigger has found."""
        if "error" in event:
            raise AirflowFailException(event["error"])
        self.log.info("%d contacts match.", event["count"])
        return event

    def _find(self) -> dict[str, Any] | None:
        """Return the contacts if there are enough."""
        with fail_without_retry():
            self._check()
            limit = max(MAX_IDS, self.min_count)
            try:
                with EnvokeHook(self.envoke_conn_id) as hook:
                    contacts = hook.find_contacts(self.filters, fields=["id"], extra_fields=self.extra_fields)
                    ids = contact_ids(islice(contacts, limit + 1))
            except EnvokeTransientError as error:
                self.log.warning("Envoke could not be asked; the sensor goes on waiting: %s", error)
                return None
        self.log.info("%d contacts match; waiting for %d.", len(ids), self.min_count)
        return found(ids, limit) if len(ids) >= self.min_count else None

    def _check(self) -> None:
        check_object("filters", self.filters)
        check_rendered_nulls("filters", self.filters)
        check_whole("min_count", self.min_count, 1)
        if self.min_count is None:
            raise EnvokeConfigError("min_count is not set. Set how many contacts to wait for.")
