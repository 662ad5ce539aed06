"""What became of each row: counts that must add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_envoke.core.fields import canonical_consent
from airflow_provider_envoke.core.masking import shown_name
from airflow_provider_envoke.exceptions import EnvokeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_envoke.core.plan import Decision

Outcome = Literal["updated", "created", "unchanged", "skipped", "rejected"]
OUTCOMES: tuple[Outcome, ...] = ("updated", "created", "unchanged", "skipped", "rejected")

#: What a decision to write comes to when it has been carried out.
OUTCOME_OF: dict[str, Outcome] = {"update": "updated", "create": "created"}

_LABEL_WIDTH = 28  # of the report's table, unless a label is longer
_EXAMPLES_PER_FIELD = 3

# Names of custom fields and tags may come from the rows: a report stays small whatever they hold.
_MAX_NAMES = 200

# Rows have the same names over and over.
_shown_name = lru_cache(maxsize=256)(shown_name)
_SHORTEST_SHOWN = 4

#: Every reason for which a row may be skipped or rejected, and what it means.
REASONS = {
    "unknown_field": "a column is not a contact field that Envoke documents",
    "read_only_field": "the field cannot be written",
    "overlong": "a value is longer than Envoke documents",
    "invalid_value": "a value has no form in which the API takes it",
    "invalid_email": "the e-mail address is none",
    "invalid_id": "the id is not a whole number from 1 to 4294967295",
    "invalid_consent_status": "the consent status is none that Envoke documents",
    "invalid_name": "the name of a custom field or tag is not valid",
    "invalid_tag": "a tag's value is neither Set nor Unset",
    "duplicate_field": "a field is given twice",
    "consent_description_missing": "a consent status that allows sending comes without its description",
    "consent_withdrawn": "the person has revoked consent or reported spam, and the row would write over that",
    "missing_key": "the row has no value in its key field",
    "missing_column": "the row lacks a column that field_map names",
    "duplicate_key": "the key came in an earlier row, with other values",
    "duplicate_row": "the key came in an earlier row, with the same values",
    "already_written": "an earlier try of this task has written the row",
    "shared_email": "another row or contact has this e-mail address",
    "ambiguous_match": "several contacts have this key",
    "not_found": "no contact has this key",
    "cannot_create": "a contact cannot be created from this row",
    "refused": "Envoke refused the request",
    "no_answer": "Envoke could not be reached or did not answer properly, after all retries",
    "stopped": "the run ended before this row was confirmed",
}


@dataclass(frozen=True, slots=True)
class Reject:
    """
    A row that was not written, for the rejects file.

    :param row: number of the row, from 1.
    :param key: the row's key: personal data, if it is an e-mail address.
    :param reason: one of :data:`REASONS`.
    :param field: the field that is at fault, or ``""``.
    :param message: what is wrong and what to do.
    """

    row: int
    key: str = field(repr=False)
    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """
    The result of a run; it holds no personal data.

    :param rows: rows read; the sum of the five counts that follow.
    :param reasons: reason code -> how many rows were rejected for it.
    :param skipped_reasons: reason code -> how many rows were skipped for it.
    :param fields: field -> how many contacts it was (or, with ``plan_only``, would be) changed in.
    :param consent_changes: ``"old -> new"`` -> how many contacts.
    :param examples: field -> a few masked examples of changes, with ``plan_only`` alone: row numbers, and at most
        the first letter of a value.
    :param requests: kind (``read``, ``write``, ``retry``) -> how many requests.
    :param read_by: how the current contacts were found: ``"filter"``, ``"pages"`` or ``"nothing"``.
    :param seconds: time that the run took.
    :param rows_per_second: rows read, divided by ``seconds``.
    :param plan_only: whether nothing was written; ``updated`` and ``created`` then say what would be.
    :param stopped: why the run ended early, or ``""``.
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

    @property
    def changes(self) -> int:
        """How many rows changed a contact or, with ``plan_only``, would."""
        return self.updated + self.created

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self)

    def as_table(self) -> str:
        """Return the report as lines for a log."""
        verb = "would be " if self.plan_only else ""
        entries = list(self._entries(verb))
        width = max(_LABEL_WIDTH, *(len(label) for label, _, _ in entries))
        lines = [f"{label:{width}}{count:>10}  {note}".rstrip() for label, count, note in entries]
        lines += [f"{verb}consent {change}: {count}" for change, count in self.consent_changes.items()]
        asked = ", ".join(f"{count} {kind}" for kind, count in self.requests.items())
        lines.append(f"requests: {asked or 'none'}; {self.seconds:.1f} s, {self.rows_per_second:.0f} rows/s")
        if self.read_by == "pages":
            lines.append("read page by page: the service refuses to look up many contacts at once")
        if self.stopped:
            lines.append(f"stopped early: {self.stopped}")
        return "\n".join(lines)

    def _entries(self, verb: str) -> Iterator[tuple[str, int, str]]:
        """Yield label, count and note of the table's lines; reasons stand below the outcome that they explain."""
        reasons = {"skipped": self.skipped_reasons, "rejected": self.reasons}
        yield "rows read", self.rows, ""
        for outcome in OUTCOMES:
            prefix = verb if outcome in ("updated", "created") else ""
            yield prefix + outcome, getattr(self, outcome), ""
            for reason, count in reasons.get(outcome, {}).items():
                yield f"  {reason}", count, REASONS.get(reason, "")
        for name, count in self.fields.items():
            yield f"{verb}changed: {name}", count, ""


class Tally:
    """Counts outcomes while a run goes on; its attributes are its state."""

    def __init__(self) -> None:
        self.rows = 0
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.skipped_reasons: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()
        self.consent_changes: Counter[str] = Counter()
        self.examples: dict[str, list[dict[str, Any]]] = {}

    def add(self, decision: Decision, *, row: int, examples: bool = False) -> None:
        """
        Count one row's one outcome, and what it changed.

        :param decision: what came of the row.
        :param row: its number.
        :param examples: whether to keep a few of the changes, masked.
        """
        if decision.action == "reject":
            self.outcomes["rejected"] += 1
            self.reasons[decision.reason] += 1
        elif decision.action == "skip":
            self.outcomes["skipped"] += 1
            self.skipped_reasons[decision.reason] += 1
        elif decision.action == "unchanged":
            self.outcomes["unchanged"] += 1
        else:
            self.outcomes[OUTCOME_OF[decision.action]] += 1
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
        self, *, requests: dict[str, int], read_by: str, seconds: float, plan_only: bool, stopped: str = ""
    ) -> SyncReport:
        """
        Return the result.

        :raises EnvokeError: if the counts do not add up to the rows read; that would be a defect of the provider.
        """
        if self.done != self.rows:
            raise EnvokeError(
                f"{self.rows} rows were read, but {self.done} have an outcome. This is a defect of the provider: "
                "please report it; running again is safe."
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
        )


def _consent_name(status: object) -> str:
    """Return a status as it is documented: what else the service may have answered is not repeated."""
    if status in (None, ""):
        return "(empty)"
    return (canonical_consent(status) if isinstance(status, str) else None) or "(other)"


def _masked(name: str, value: object) -> str:
    """
    Return a value's first letter, which shows whether it is the one that is meant.

    Of a short value, a custom field's or a tag's not even that: one letter tells "no" from "yes".
    """
    if value in (None, ""):
        return "(empty)"
    text = str(value)
    return f"{text[0]}***" if "." not in name and len(text) >= _SHORTEST_SHOWN else "***"
