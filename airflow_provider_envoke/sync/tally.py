"""Counts the outcomes of rows while a run goes on."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.consent import canonical_consent
from airflow_provider_envoke.envoke.messages import masked_value, shown_name
from airflow_provider_envoke.exceptions import EnvokeError
from airflow_provider_envoke.sync.report import HELD_BACK, OUTCOMES, SyncReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_envoke.sync.compare import Decision

OUTCOME_OF = dict(zip(("update", "create", "unchanged", "skip", "reject"), OUTCOMES, strict=True))

_EXAMPLES_PER_FIELD = 3
_MAX_NAMES = 200  # rows may name any custom fields and tags; the report stays small

_shown_name = lru_cache(maxsize=256)(shown_name)  # rows repeat the same names


class Tally:
    """
    Counts outcomes while a run goes on. Its attributes are its state.

    ``unanswered`` counts rows without an outcome so far, because their requests had no answer.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.unanswered = 0
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.skipped_reasons: Counter[str] = Counter()
        self.held_back: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()
        self.consent_changes: Counter[str] = Counter()
        self.examples: dict[str, list[dict[str, Any]]] = {}

    def add(self, decision: Decision, *, row: int, examples: bool = False) -> None:
        """Count the outcome of one row and what it changed; with ``examples``, keep a few changes, masked."""
        self.outcomes[OUTCOME_OF[decision.action]] += 1
        self.held_back.update({HELD_BACK[violation.reason] for violation in decision.held_back})
        if decision.action == "reject":
            self.reasons[decision.reason] += 1
        elif decision.action == "skip":
            self.skipped_reasons[decision.reason] += 1
        elif decision.writes:
            self._add_changes(decision, row, examples=examples)

    def _add_changes(self, decision: Decision, row: int, *, examples: bool) -> None:
        current = decision.current or {}
        for name, value in decision.changes.items():
            members = value if isinstance(value, dict) else {None: value}
            for member, after in members.items():
                full_name = _shown_name(f"{name}.{member}" if member else name)
                if full_name not in self.fields and len(self.fields) >= _MAX_NAMES:
                    full_name = "(others)"
                self.fields[full_name] += 1
                if examples:
                    before = current.get(name)
                    if member:
                        before = before.get(member) if isinstance(before, dict) else None
                    self._add_example(full_name, row, before, after)
        if "consent_status" in decision.changes and decision.current is not None:
            before = _consent_name(current.get("consent_status"))
            self.consent_changes[f"{before} -> {decision.changes['consent_status']}"] += 1

    @property
    def done(self) -> int:
        """How many rows have an outcome."""
        return self.outcomes.total()

    @property
    def changes(self) -> int:
        """How many rows have changed a contact."""
        return self.outcomes["updated"] + self.outcomes["created"]

    def _add_example(self, name: str, row: int, before: object, after: object) -> None:
        examples = self.examples.setdefault(name, [])
        if len(examples) < _EXAMPLES_PER_FIELD:
            examples.append({"row": row, "from": _masked(name, before), "to": _masked(name, after)})

    def report(
        self,
        *,
        requests: Mapping[str, int],
        read_by: str,
        seconds: float,
        plan_only: bool,
        stopped: str = "",
        not_reached: int = 0,
    ) -> SyncReport:
        """Return the report. Counts that do not add up to the rows read would be a bug in the provider."""
        if self.done != self.rows:
            raise EnvokeError(
                f"{self.rows} rows were read, but {self.done} have an outcome. This is a bug in the provider: "
                "please report it. Running again is safe."
            )
        return SyncReport(
            rows=self.rows,
            **{outcome: self.outcomes[outcome] for outcome in OUTCOMES},
            reasons=dict(self.reasons.most_common()),
            skipped_reasons=dict(self.skipped_reasons.most_common()),
            fields=dict(self.fields.most_common()),
            consent_changes=dict(self.consent_changes.most_common()),
            examples=self.examples,
            requests={kind: count for kind, count in requests.items() if count},
            read_by=read_by,
            seconds=round(seconds, 3),
            rows_per_second=round(self.rows / seconds, 1) if seconds else 0.0,
            plan_only=plan_only,
            stopped=stopped,
            not_reached=not_reached,
            **{name: self.held_back[name] for name in HELD_BACK.values()},
        )


def _consent_name(status: object) -> str:
    """Return the documented name of a status; anything else the service returned is not repeated."""
    if status in (None, ""):
        return "(empty)"
    return (canonical_consent(status) if isinstance(status, str) else None) or "(other)"


def _masked(name: str, value: object) -> str:
    return "(empty)" if value in (None, "") else masked_value(name, value)
