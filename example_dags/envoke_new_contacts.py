"""
### A DAG that starts when Envoke has new contacts

Requires Airflow 3; on older versions this file defines no DAG. There, a task `EnvokeContactSensor` can wait for
contacts.

The triggerer asks Envoke once a minute for contacts with a higher id than before, and updates the asset
`envoke://account/new_contacts`. Its event contains the ids of up to 1,000 new contacts, and no personal data.
`read_new_contacts` reads what it needs of them. Add your own tasks here: a welcome, a copy to the warehouse.

It asks while the DAG is not paused, from the next time that Airflow parses this file. When the triggerer restarts,
it begins at the highest id in the account, so contacts that were created while it was down start no run. To miss
none, compare with the warehouse now and then.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task

from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.triggers.envoke import EnvokeContactTrigger

try:
    from airflow.sdk import AssetWatcher
except ImportError:  # Airflow 2
    AssetWatcher = None

log = logging.getLogger(__name__)

if AssetWatcher is not None:
    NEW_CONTACTS = Asset(
        "envoke://account/new_contacts",
        watchers=[AssetWatcher(name="envoke_new_contacts", trigger=EnvokeContactTrigger(poll_interval=60))],
    )

    @task
    def read_new_contacts(**context: Any) -> int:
        """Count the languages of the new contacts."""
        events = context["triggering_asset_events"].get(NEW_CONTACTS, [])
        ids = sorted({number for event in events for number in event.extra.get("payload", {}).get("ids", [])})
        languages: dict[str, int] = {}
        with EnvokeHook() as hook:
            for start in range(0, len(ids), 100):
                chunk = ids[start : start + 100]
                for contact in hook.find_contacts({"id": {"$in": chunk}}, fields=["id", "language"]):
                    language = contact["language"] or "none"
                    languages[language] = languages.get(language, 0) + 1
        log.info("%d new contacts by language: %s", len(ids), languages)
        return len(ids)

    with DAG(
        "envoke_new_contacts",
        description="Starts when Envoke has new contacts",
        schedule=[NEW_CONTACTS],
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        doc_md=__doc__,
        tags=["envoke", "example"],
    ) as dag:
        read_new_contacts()
