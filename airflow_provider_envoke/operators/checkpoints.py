"""How far a run with ``strategy="all"`` has come, kept between the tries of a task by Airflow 3.3 and later."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_envoke.core.config import EnvokeConfig
    from airflow_provider_envoke.core.options import SyncOptions
    from airflow_provider_envoke.sync.resume import Checkpoint

log = logging.getLogger(__name__)

_KEY = "envoke_checkpoint"

# Later, somebody may have changed in Envoke what was written, and "all" means to write over that.
_KEPT_FOR = timedelta(hours=1)


class CheckpointStore:
    """
    Keeps the checkpoint in the task state store, where Airflow has one and the run sends every row.

    A store that fails costs the next try some time, and this one nothing.

    :param context: the task's.
    :param config: the account that the rows go to.
    :param options: the choices of the run. A checkpoint holds for this account and these choices alone.
    """

    def __init__(self, context: Context, config: EnvokeConfig, options: SyncOptions) -> None:
        sends_all = options.strategy == "all" and not options.plan_only
        self._store: Any = context.get("task_state_store") if sends_all else None
        run = f"{config.base_url} {config.api_id} {options!r}"
        self._run = blake2b(run.encode(errors="backslashreplace"), digest_size=16).hexdigest()

    def load(self) -> Checkpoint | None:
        """Return how far an earlier try has come, if that is known, and not long ago."""
        from airflow_provider_envoke.sync.resume import Checkpoint  # noqa: PLC0415 - only when a run begins

        if self._store is None:
            return None
        try:
            kept = self._store.get(_KEY)
            if not kept or kept["run"] != self._run:
                return None
            if datetime.now(UTC) - datetime.fromisoformat(kept["saved_at"]) > _KEPT_FOR:
                return None
            checkpoint = Checkpoint.from_dict(kept)
        except Exception as error:
            log.warning("How far an earlier try has come cannot be read (%s).", type(error).__name__)
            return None
        log.info("An earlier try has written the first %d rows: they are skipped.", checkpoint.row)
        return checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep how far this try has come."""
        if self._store is None:
            return
        kept = {**checkpoint.as_dict(), "run": self._run, "saved_at": datetime.now(UTC).isoformat()}
        try:
            self._store.set(_KEY, kept, retention=_KEPT_FOR)
        except Exception as error:
            log.warning("How far the run has come cannot be kept (%s): go on.", type(error).__name__)

    def clear(self) -> None:
        """Forget it: the task is done, and run again it is to send every row again."""
        if self._store is None:
            return
        try:
            self._store.delete(_KEY)
        except Exception as error:
            log.warning("How far the run had come cannot be forgotten (%s).", type(error).__name__)
