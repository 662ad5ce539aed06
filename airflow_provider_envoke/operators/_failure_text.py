"""What a person reads of a task that failed: short lines in the log, and one short sentence as the exception."""

from __future__ import annotations

import logging
import re
import textwrap
from typing import TYPE_CHECKING

from airflow_provider_envoke.envoke.messages import quoted
from airflow_provider_envoke.operators._rejects import shown_path
from airflow_provider_envoke.sync.limits import allowed_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_envoke.sync.report import Reject, SyncReport

log = logging.getLogger(__name__)

#: Airflow cuts what it shows of an exception, and of a line of the log, to about this width.
_WIDTH = 100
_SEE_LOG = " See the log above."
_EXAMPLE_LINES = 3  # of the log, for one reason

_SENTENCE_END = re.compile(r"(?<=[^\s.][.!?]) +(?=[A-Z])")


def log_failure(message: str) -> str:
    """
    Log a message that is too long for an exception, in short lines.

    :return: the message itself if it is short, and otherwise its first sentence.
    """
    if "\n" not in message and len(message) <= _WIDTH:
        return message
    sentences = [each for line in message.splitlines() for each in _sentences(line)]
    for sentence in sentences:
        for line in _lines(sentence):
            log.error("%s", line)
    width = _WIDTH - len(_SEE_LOG)
    short = textwrap.shorten(sentences[0], width, placeholder=" …")
    if short == "…":  # its first word does not fit, such as a long path
        short = f"{sentences[0][: width - 2]} …"
    return short + _SEE_LOG


def describe_rejects(report: SyncReport, max_rejects: float, path: str, first: Iterable[Reject]) -> Iterator[str]:
    """Yield the lines about too many rejected rows: the limit, each reason, where they are, what to do."""
    from airflow_provider_envoke.sync.guards import TEMPORARY_REASONS  # noqa: PLC0415 - only when a run ends

    would_be = "would be" if report.plan_only else "were"
    yield (
        f"{report.rejected} of {report.rows} rows {would_be} rejected, more than max_rejects={max_rejects} allows "
        f"({allowed_count(max_rejects, report.rows)})."
    )
    examples = {each.reason: each for each in first}
    for reason, count in report.reasons.items():
        example = f", such as {_describe(examples[reason])}" if reason in examples else ""
        yield f"  {count} {reason}{example}"
    yield (
        f"The rows are listed in {shown_path(path)}."
        if path
        else "Set rejects_path to list all of them in a file."
    )
    if report.plan_only:
        yield "Nothing was written, because plan_only is on."
    elif report.rejected < report.rows:
        yield "The other rows are done."
    if TEMPORARY_REASONS & report.reasons.keys():
        yield "Running again is safe, and may write the rows that had no answer."
    else:
        yield "Correct these rows in the table or the query, and run again: rows that are done are not sent twice."


def _describe(reject: Reject) -> str:
    names = [f"{name} {quoted(value)}" for name, value in reject.reference.items()]
    reference = f" ({', '.join(names)})" if names else ""
    field = f", field {reject.field}" if reject.field and reject.field not in reject.message else ""
    return f"row {reject.row}{reference}{field}: {reject.message}"


def _sentences(line: str) -> list[str]:
    """Return a line's sentences; a line that is indented is one item of a list."""
    return [line] if _indent_of(line) else _SENTENCE_END.split(line)


def _lines(sentence: str) -> list[str]:
    """Return a sentence in lines that fit; an item of a list is cut after a few of them."""
    indent = _indent_of(sentence)
    return textwrap.wrap(
        sentence,
        _WIDTH,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,  # a path stays whole
        break_on_hyphens=False,
        max_lines=_EXAMPLE_LINES if indent else None,
        placeholder=" …",
    )


def _indent_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
