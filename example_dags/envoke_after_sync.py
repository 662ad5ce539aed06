"""
### What comes after a sync

Airflow starts this DAG whenever `envoke_nightly_sync` updates the asset `envoke://account/contacts`. The
asset's event contains the report of the sync: counts and reasons, no personal data. `look_at_reports` fails if
rows were rejected, so your alerts for failed tasks cover them too. The sync itself accepts a few rejected rows
(`max_rejects`). A sync that only planned (`plan_only`) starts this DAG too, with the report of the plan.

Add your own tasks here, or use them instead: a campaign, a check, a copy back to the warehouse.
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
    """Return the reports of the syncs that started this run; an empty list if a person started it."""
    if "triggering_asset_events" in context:
        events = context["triggering_asset_events"].get(CONTACTS, [])
    else:  # Airflow 2.11
        events = context["triggering_dataset_events"].get(CONTACTS.uri, [])
    return [event.extra for event in events if "rows" in event.extra]


@task
def look_at_reports(**context: Any) -> None:
    """Fail if a sync rejected rows."""
    reasons: Counter[str] = Counter()
    for report in reports_of(context):
        written = "would be updated (plan only)" if report["plan_only"] else "updated"
        log.info("%s rows, %s %s, %s rejected", report["rows"], report["updated"], written, report["rejected"])
        reasons.update(report["reasons"])
    if reasons:
        raise AirflowFailException(
            f"{reasons.total()} rows were rejected: {dict(reasons)}. To see which ones, run "
            "envoke_nightly_sync with a folder in its parameter rejects."
        )


with DAG(
    "envoke_after_sync",
    description="Starts after each sync, and fails if rows were rejected",
    schedule=[CONTACTS],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    doc_md=__doc__,
    tags=["envoke", "example"],
) as dag:
    look_at_reports()
