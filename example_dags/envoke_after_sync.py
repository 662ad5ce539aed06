"""
### What comes after a sync

Started by Airflow whenever `envoke_nightly_sync` has updated the asset `envoke://account/contacts`. The asset's
event carries the sync's report: its counts and reasons, no personal data. `look_at_reports` fails if rows were
rejected, so that whatever tells you of failed tasks tells you of them: the sync itself takes a few for normal
(`max_rejects`).

Instead, or after it, put what else depends on the contacts: a campaign, a check, a copy back into the warehouse.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Asset, task

CONTACTS = Asset("envoke://account/contacts")

log = logging.getLogger(__name__)


def reports_of(context: Any) -> list[dict[str, Any]]:
    """Return the reports of the syncs that started this run; none, if a person did."""
    if "triggering_asset_events" in context:
        events = context["triggering_asset_events"].get(CONTACTS, [])
    else:  # Airflow 2.11
        events = context["triggering_dataset_events"].get(CONTACTS.uri, [])
    return [event.extra for event in events]


@task
def look_at_reports(**context: Any) -> None:
    """Fail if a sync has rejected rows."""
    reasons: Counter[str] = Counter()
    for report in reports_of(context):
        log.info("%s rows, %s updated, %s rejected", report["rows"], report["updated"], report["rejected"])
        reasons.update(report["reasons"])
    if reasons:
        raise AirflowFailException(
            f"{reasons.total()} rows were not written to Envoke: {dict(reasons)}. To see which, start "
            "envoke_nightly_sync with a folder in its parameter rejects."
        )


with DAG(
    "envoke_after_sync",
    schedule=[CONTACTS],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    doc_md=__doc__,
    tags=["envoke", "example"],
) as dag:
    look_at_reports()
