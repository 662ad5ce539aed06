"""Reports of a few decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import Violation
from airflow_provider_envoke.sync.compare import Decision
from airflow_provider_envoke.sync.tally import Tally

if TYPE_CHECKING:
    from airflow_provider_envoke.sync import SyncReport

CURRENT = {
    "id": 7, "email": "marker@doe.com", "city": "Marker", "feedback": None, "consent_status": "Not Provided",
    "custom_fields": {"plan": "marker"}, "interests": ["marker"],
}  # fmt: skip


def tally(*decisions: Decision, rows: int | None = None, examples: bool = False) -> Tally:
    counted = Tally()
    counted.rows = len(decisions) if rows is None else rows
    for number, decision in enumerate(decisions, start=1):
        counted.add(decision, row=number, examples=examples)
    return counted


def report(counted: Tally, **changes: Any) -> SyncReport:
    settings: dict[str, Any] = {"requests": {}, "read_by": "filter", "seconds": 2.0, "plan_only": False}
    return counted.report(**{**settings, **changes})


KEPT = Violation("consent_status", "consent_withdrawn", "…")

EACH = (
    Decision("update", changes={"city": "Paris"}, current=CURRENT),
    Decision("create", changes={"city": "Rome"}),
    Decision("unchanged", current=CURRENT),
    Decision("skip", reason="duplicate_row"),
    Decision("reject", reason="overlong"),
)

#: Rows of which a consent was kept, counted as what became of the rest, too.
EACH_KEPT = (
    Decision("update", changes={"city": "Paris"}, current=CURRENT, held_back=(KEPT, KEPT)),
    Decision("unchanged", current=CURRENT, held_back=(KEPT,)),
)
