"""A report as Markdown, for a person who is asked whether a plan may be carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_envoke.core.masking import mask_emails
from airflow_provider_envoke.core.report import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LINES_PER_LIST = 30
_LONGEST_NAME = 60

# Names of fields and tags are the warehouse's or the service's. Within a code span nothing is markup but the
# backtick; angle brackets go too, for whoever shows the text as HTML.
_HARMLESS = str.maketrans({"`": "'", "<": "(", ">": ")", "&": "+"})


def report_as_markdown(report: Mapping[str, Any]) -> str:
    """
    Return a report as Markdown: counts, fields with their masked examples, changes of consent, reasons.

    It holds no personal data, and no name in it is taken for Markdown, HTML or a link.

    :param report: what a sync operator leaves in XCom, or
        :meth:`airflow_provider_envoke.core.report.SyncReport.as_dict`.
    """
    return "\n\n".join(_paragraphs(report)) + "\n"


def _paragraphs(report: Mapping[str, Any]) -> Iterator[str]:
    verb = "would be " if report["plan_only"] else ""
    updated, created = report["updated"], report["created"]
    yield (
        f"**{updated + created} of {report['rows']} rows**: {verb}updated {updated}, {verb}created {created}; "
        f"unchanged {report['unchanged']}, skipped {report['skipped']}, rejected {report['rejected']}."
    )
    examples = report["examples"]
    yield from _list(
        f"Fields that {verb or 'were '}changed",
        [f"{_code(name)}: {count}{_examples(examples.get(name, []))}" for name, count in report["fields"].items()],
    )
    consents = report["consent_changes"].items()
    yield from _list("Consent", [f"{_code(change.replace(' -> ', ' → '))}: {count}" for change, count in consents])
    yield from _list("Rejected", _reasons(report["reasons"]))
    yield from _list("Skipped", _reasons(report["skipped_reasons"]))
    if report["stopped"]:
        yield f"Stopped early: {_code(report['stopped'])}"


def _list(title: str, lines: list[str]) -> Iterator[str]:
    if not lines:
        return
    shown = [f"- {line}" for line in lines[:_LINES_PER_LIST]]
    if len(lines) > _LINES_PER_LIST:
        shown.append(f"- and {len(lines) - _LINES_PER_LIST} more")
    yield f"{title}:\n\n" + "\n".join(shown)


def _reasons(reasons: Mapping[str, int]) -> list[str]:
    return [f"{_code(reason)}: {count} ({REASONS.get(reason, '')})" for reason, count in reasons.items()]


def _examples(examples: list[Mapping[str, Any]]) -> str:
    shown = [f"row {each['row']} {_code(each['from'])} → {_code(each['to'])}" for each in examples]
    return f", such as {'; '.join(shown)}" if shown else ""


def _code(name: object) -> str:
    """Return a code span that shows a name, whatever is in it, on one line."""
    text = "".join(letter if letter.isprintable() else "?" for letter in mask_emails(str(name)))
    text = text.translate(_HARMLESS)
    return f"`{text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + '…'}`"
