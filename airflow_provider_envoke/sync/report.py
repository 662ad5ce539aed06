"""The outcome of each row: counts that add up, as a table for the log and as Markdown for a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_envoke.envoke.consent import canonical_consent
from airflow_provider_envoke.envoke.messages import mask_emails, shown_name
from airflow_provider_envoke.exceptions import EnvokeError
from airflow_provider_envoke.sync.guards import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_envoke.sync.compare import Decision

Outcome = Literal["updated", "created", "unchanged", "skipped", "rejected"]
OUTCOMES: tuple[Outcome, ...] = ("updated", "created", "unchanged", "skipped", "rejected")

_OUTCOME_OF = dict(zip(("update", "create", "unchanged", "skip", "reject"), OUTCOMES, strict=True))
_LABEL_WIDTH = 28  # of the table, unless a label is longer
_EXAMPLES_PER_FIELD = 3
_MAX_NAMES = 200  # rows may name any custom fields and tags; the report stays small
_SHORTEST_SHOWN = 4
_LINES_PER_LIST = 30
_LONGEST_NAME = 60

# Names of fields and tags come from the warehouse or the service. In a code span only the backtick is markup;
# angle brackets are replaced too, for readers that show the text as HTML.
_HARMLESS = str.maketrans({"`": "'", "<": "(", ">": ")", "&": "+"})

_shown_name = lru_cache(maxsize=256)(shown_name)  # rows repeat the same names


@dataclass(frozen=True, slots=True)
class Reject:
    """
    A row that was not written, for the rejects file.

    :param row: number of the row, from 1.
    :param key: the row's key: personal data, if it is an email address.
    :param reason: one of :data:`airflow_provider_envoke.sync.guards.REASONS`.
    """

    row: int
    key: str = field(repr=False)
    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """
    The result of a run. It holds no personal data.

    :param rows: rows read: the sum of the five counts that follow.
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
    :param not_reached: rows that were read too, but have none of the five outcomes, because the run ended early.
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
        requests = ", ".join(f"{count} {kind}" for kind, count in self.requests.items())
        lines.append(f"requests: {requests or 'none'}; {self.seconds:.1f} s, {self.rows_per_second:.0f} rows/s")
        if self.read_by == "pages":
            lines.append("read page by page: the service refuses to look up many contacts at once")
        if self.stopped:
            lines.append(f"stopped early: {self.stopped}")
        return "\n".join(lines)

    def _entries(self, verb: str) -> Iterator[tuple[str, int, str]]:
        """Yield label, count and note of each line of the table; reasons follow their outcome."""
        reasons = {"skipped": self.skipped_reasons, "rejected": self.reasons}
        yield "rows read", self.rows + self.not_reached, ""
        if self.not_reached:
            yield "not reached", self.not_reached, "the run ended before these rows; run it again"
        for outcome in OUTCOMES:
            prefix = verb if outcome in ("updated", "created") else ""
            yield prefix + outcome, getattr(self, outcome), ""
            for reason, count in reasons.get(outcome, {}).items():
                yield f"  {reason}", count, REASONS.get(reason, "")
        for name, count in self.fields.items():
            yield f"{verb}changed: {name}", count, ""


class Tally:
    """Counts outcomes while a run goes on. Its attributes are its state."""

    def __init__(self) -> None:
        self.rows = 0
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.skipped_reasons: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()
        self.consent_changes: Counter[str] = Counter()
        self.examples: dict[str, list[dict[str, Any]]] = {}

    def add(self, decision: Decision, *, row: int, examples: bool = False) -> None:
        """Count the outcome of one row and what it changed; with ``examples``, keep a few changes, masked."""
        self.outcomes[_OUTCOME_OF[decision.action]] += 1
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
        )


def report_as_markdown(report: Mapping[str, Any]) -> str:
    """
    Return a report, as :meth:`SyncReport.as_dict` or XCom has it, as Markdown for a person who approves a plan.

    It holds no personal data, and no name in it acts as Markdown, HTML or a link.
    """
    return "\n\n".join(_paragraphs(report)) + "\n"


def _paragraphs(report: Mapping[str, Any]) -> Iterator[str]:
    verb = "would be " if report["plan_only"] else ""
    updated, created = report["updated"], report["created"]
    yield (
        f"**{updated + created} of {report['rows']} rows**: {verb}updated {updated}, {verb}created {created}; "
        f"unchanged {report['unchanged']}, skipped {report['skipped']}, rejected {report['rejected']}."
    )
    changed = [
        f"{_code(name)}: {count}{_examples(report['examples'].get(name, []))}"
        for name, count in report["fields"].items()
    ]
    yield from _list(f"Fields that {verb or 'were '}changed", changed)
    consents = report["consent_changes"].items()
    yield from _list("Consent", [f"{_code(change.replace(' -> ', ' → '))}: {count}" for change, count in consents])
    for title, reasons in (("Rejected", report["reasons"]), ("Skipped", report["skipped_reasons"])):
        yield from _list(
            title, [f"{_code(reason)}: {count} ({REASONS.get(reason, '')})" for reason, count in reasons.items()]
        )
    if report["stopped"]:
        not_reached = report.get("not_reached", 0)
        rest = f"; {not_reached} more rows were not reached" if not_reached else ""
        yield f"Stopped early: {_code(report['stopped'])}{rest}"


def _list(title: str, lines: list[str]) -> Iterator[str]:
    shown = [f"- {line}" for line in lines[:_LINES_PER_LIST]]
    if len(lines) > _LINES_PER_LIST:
        shown.append(f"- and {len(lines) - _LINES_PER_LIST} more")
    if shown:
        yield f"{title}:\n\n" + "\n".join(shown)


def _examples(examples: list[Mapping[str, Any]]) -> str:
    shown = [f"row {each['row']} {_code(each['from'])} → {_code(each['to'])}" for each in examples]
    return f", such as {'; '.join(shown)}" if shown else ""


def _code(name: object) -> str:
    """Return a code span that shows a name on one line, whatever it holds."""
    text = "".join(letter if letter.isprintable() else "?" for letter in mask_emails(str(name)))
    text = text.translate(_HARMLESS)
    return f"`{text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + '…'}`"


def _consent_name(status: object) -> str:
    """Return the documented name of a status; anything else the service returned is not repeated."""
    if status in (None, ""):
        return "(empty)"
    return (canonical_consent(status) if isinstance(status, str) else None) or "(other)"


def _masked(name: str, value: object) -> str:
    """Return a value's first letter; for short values, custom fields and tags not even that ("no" or "yes")."""
    if value in (None, ""):
        return "(empty)"
    text = str(value)
    return f"{text[0]}***" if "." not in name and len(text) >= _SHORTEST_SHOWN else "***"
