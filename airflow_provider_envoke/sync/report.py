"""The outcome of a run: counts that add up, and the rows that were not written."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_envoke.sync.guards import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Outcome = Literal["updated", "created", "unchanged", "skipped", "rejected"]
OUTCOMES: tuple[Outcome, ...] = ("updated", "created", "unchanged", "skipped", "rejected")

#: Reason for which fields of a row are held back -> what the row counts as, too.
HELD_BACK = {"consent_withdrawn": "consent_kept"}

#: What ended a run early, by the name of the exception's class; other names are shown as they are.
_ENDS = {
    "max_changes": "more would change than max_changes allows",
    "EnvokeAuthError": "Envoke rejected the credentials",
    "EnvokeTransientError": "Envoke could not be reached or did not respond properly",
    "EnvokeQueryError": "the query failed",
    "EnvokeConfigError": "the connection or an argument is invalid",
    "EnvokeSyncError": "the run was stopped or could not go on",
    "AirflowTaskTimeout": "the task's time was over",
}
_SUMMARIZED = (*OUTCOMES, "consent_kept", "not_reached")

_LABEL_WIDTH = 28  # of the table, unless a label is longer


@dataclass(frozen=True, slots=True)
class Reject:
    """
    A row that was not written, or not whole, for the rejects file.

    :param row: number of the row, from 1.
    :param key: the row's key: personal data, if it is an email address.
    :param reason: one of :data:`airflow_provider_envoke.sync.guards.REASONS`.
    :param reference: column -> value of the columns that ``reference`` names.
    :param outcome: what the report counts the row as: ``"rejected"``, ``"skipped"`` or ``"consent_kept"``.
    """

    row: int
    key: str = dataclass_field(repr=False)
    reason: str
    field: str
    message: str
    reference: Mapping[str, str] = dataclass_field(default_factory=dict, repr=False)
    outcome: str = "rejected"


@dataclass(frozen=True, slots=True)
class SyncReport:
    """
    The result of a run. It holds no personal data.

    :param rows: rows with an outcome: the sum of the five counts that follow.
    :param reasons: reason code -> how many rows were rejected for it.
    :param skipped_reasons: reason code -> how many rows were skipped for it.
    :param fields: field -> how many contacts it was changed in, or would be with ``plan_only``.
    :param consent_changes: ``"old -> new"`` -> how many contacts.
    :param examples: with ``plan_only``: field -> a few masked changes, with the number of the row.
    :param requests: kind (``read``, ``write``, ``retry``) -> how many requests.
    :param read_by: how the current contacts were found: ``"filter"``, ``"pages"`` or ``"nothing"``.
    :param seconds: duration of the run.
    :param rows_per_second: rows read, divided by ``seconds``.
    :param plan_only: whether nothing was written; ``updated`` and ``created`` then say what would be.
    :param stopped: why the run ended early, or ``""``.
    :param not_reached: rows that were read too, but have none of the five outcomes, because the run ended before
        their write was begun. ``rows`` and ``not_reached`` together are all rows that were read.
    :param consent_kept: rows whose consent, or its description, was not written because the person has revoked
        consent or reported spam. They are counted as what became of the rest of them, too.
    """

    rows: int
    updated: int
    created: int
    unchanged: int
    skipped: int
    rejected: int
    reasons: dict[str, int]
    skipped_reasons: dict[str, int]
    fields: dict[str, int]
    consent_changes: dict[str, int]
    examples: dict[str, list[dict[str, Any]]]
    requests: dict[str, int]
    read_by: str
    seconds: float
    rows_per_second: float
    plan_only: bool
    stopped: str = ""
    not_reached: int = 0
    consent_kept: int = 0

    @property
    def changes(self) -> int:
        """How many rows changed a contact or, with ``plan_only``, would."""
        return self.updated + self.created

    @property
    def end(self) -> str:
        """What ended the run early, in words, or ``""``."""
        words = _ENDS.get(self.stopped)
        return f"{words} ({self.stopped})" if words else self.stopped

    @property
    def summary(self) -> str:
        """The result on one line, such as ``66 updated, 53 rejected`` or ``plan: 66 to update``."""
        words = {"updated": "to update", "created": "to create"} if self.plan_only else {}
        counts = [
            f"{count} {words.get(name, name.replace('_', ' '))}"
            for name in _SUMMARIZED
            if (count := getattr(self, name))
        ]
        stopped = f"stopped early ({self.stopped})" if self.stopped else ""
        text = "; ".join(filter(None, (", ".join(counts), stopped))) or "no rows"
        return f"plan: {text}" if self.plan_only else text

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values, with its ``summary``."""
        return {**asdict(self), "summary": self.summary}

    def as_table(self) -> str:
        """Return the report as lines for a log."""
        verb = "would be " if self.plan_only else ""
        entries = list(self._entries(verb))
        width = max(_LABEL_WIDTH, *(len(label) for label, _, _ in entries))
        lines = [f"{label:{width}}{count:>10}  {note}".rstrip() for label, count, note in entries]
        lines += [f"{verb}consent {change}: {count}" for change, count in self.consent_changes.items()]
        requests = ", ".join(f"{count} {kind}" for kind, count in self.requests.items())
        lines.append(f"requests: {requests or 'none'}; {self.seconds:.1f} s, {self.rows_per_second:.0f} rows/s")
        if self.read_by == "pages":
            lines.append("read page by page: the service refuses to look up many contacts at once")
        if self.stopped:
            lines.append(f"stopped early: {self.end}")
        return "\n".join(lines)

    def _entries(self, verb: str) -> Iterator[tuple[str, int, str]]:
        """Yield label, count and note of each line of the table; reasons follow their outcome."""
        reasons = {"skipped": self.skipped_reasons, "rejected": self.reasons}
        yield "rows read", self.rows + self.not_reached, ""
        if self.not_reached:
            yield "not reached", self.not_reached, "the run ended before these rows; nothing is wrong with them"
        if not self.rows:
            return
        for outcome in OUTCOMES:
            prefix = verb if outcome in ("updated", "created") else ""
            yield prefix + outcome, getattr(self, outcome), ""
            for reason, count in reasons.get(outcome, {}).items():
                yield f"  {reason}", count, REASONS.get(reason, "")
        if self.consent_kept:
            yield "consent kept", self.consent_kept, REASONS["consent_withdrawn"]
        for name, count in self.fields.items():
            yield f"{verb}changed: {name}", count, ""
