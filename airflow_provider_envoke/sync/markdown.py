"""The report as Markdown, for a person who approves a plan or reads an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.envoke.messages import mask_emails
from airflow_provider_envoke.sync.guards import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LINES_PER_LIST = 30
_LONGEST_NAME = 60

# Names of fields and tags come from the warehouse or the service. In a code span only the backtick is markup;
# angle brackets are replaced too, for readers that show the text as HTML.
_HARMLESS = str.maketrans({"`": "'", "<": "(", ">": ")", "&": "+"})


_NO_REPORT = (
    "There is **no report**: the task ended before its run began, or it pushes nothing to XCom. The task's log "
    "says more.\n"
)


def report_as_markdown(report: Mapping[str, Any] | None) -> str:
    """
    Return a report as Markdown, for a person who approves a plan or gets an alert.

    It holds no personal data, and no name in it acts as Markdown, HTML or a link.

    :param report: as :meth:`SyncReport.as_dict` or XCom has it; ``None`` if there is none, as after a task that
        failed before its run.
    """
    if report is None:
        return _NO_REPORT
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
    if report.get("consent_kept"):
        yield f"Consent kept: {report['consent_kept']} ({REASONS['consent_withdrawn']})"
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
