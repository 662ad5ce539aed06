"""Which failures Airflow retries, and what a person reads of them: short lines in the log, one short exception."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_envoke.exceptions import (
    EnvokeConfigError,
    EnvokeError,
    EnvokePlanError,
    EnvokeQueryError,
    EnvokeRowsError,
    EnvokeSyncError,
    EnvokeTransientError,
)
from airflow_provider_envoke.operators._outcome import check_rejects, fail_without_retry
from airflow_provider_envoke.sync.compare import Decision
from airflow_provider_envoke.sync.guards import REASONS
from airflow_provider_envoke.sync.report import Reject
from tests.support.reports import report, tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sync import SyncReport

#: The reasons after which the same row may be written a little later, as README says.
TEMPORARY = {"no_answer", "stopped"}
WIDTH = 100
_numbers = itertools.count()


class FailingTask(BaseOperator):
    """A task that ends as the operators end, and counts its tries."""

    def __init__(self, action: Callable[[], object], **arguments: Any) -> None:
        super().__init__(**arguments)
        self.action = action

    def execute(self, context: Any) -> None:
        with fail_without_retry():
            self.action()


def rejected(*reasons: str) -> SyncReport:
    return report(tally(*(Decision("reject", reason=reason) for reason in reasons)))


def end(action: Callable[[], object]) -> BaseException:
    """Return the exception with which a task ends."""
    with pytest.raises((EnvokeError, AirflowFailException)) as caught, fail_without_retry():
        action()
    return caught.value


def raising(error: Exception) -> Callable[[], object]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize("other", [None, "no_answer", "stopped", "overlong"])
@pytest.mark.parametrize("reason", REASONS)
def test_rejects_are_retried_if_one_of_their_reasons_may_pass(reason: str, other: str | None) -> None:
    reasons = [reason, other] if other else [reason]

    ended = end(lambda: check_rejects(rejected(*reasons), 0, ""))

    assert isinstance(ended, AirflowFailException) is not bool(TEMPORARY & {*reasons})
    if TEMPORARY & {*reasons}:
        assert type(ended) is EnvokeSyncError
        assert ended.report == rejected(*reasons).as_dict()


CASES: dict[str, tuple[Callable[[], object], bool]] = {
    "permanent reasons": (lambda: check_rejects(rejected("overlong", "not_found"), 0, ""), False),
    "one that may pass": (lambda: check_rejects(rejected("overlong", "no_answer"), 0, ""), True),
    "the query": (raising(EnvokeQueryError("SELEKT")), False),
    "the database": (raising(EnvokeSyncError("connection lost")), True),
    "a plan": (raising(EnvokePlanError("too many changes")), False),
    "the connection": (raising(EnvokeConfigError("no host")), False),
    "the service": (raising(EnvokeTransientError("HTTP 503")), True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("retries", [0, 2])
def test_airflow_tries_again_only_what_may_pass(case: str, retries: int, run_dag: Callable[..., Any]) -> None:
    action, may_pass = CASES[case]
    tries: list[int] = []

    def counted() -> None:
        tries.append(1)
        action()

    with DAG(f"retries_{next(_numbers)}", schedule=None) as dag:
        FailingTask(task_id="task", action=counted)
    run = run_dag(dag, retries=retries)

    assert run.state == "failed"
    assert len(tries) == (1 + retries if may_pass else 1)


# What is read


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return what was logged at ERROR, a line for each record."""
    caplog.set_level(logging.ERROR)
    return lambda: [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def example(reason: str, **changes: Any) -> Reject:
    values = {"row": 17, "key": "", "reason": reason, "field": "email", "message": "the row has no value in it"}
    return Reject(**{**values, **changes})


def test_a_task_with_too_many_rejects_logs_the_limit_and_an_example_of_each_reason(
    lines: Callable[[], list[str]],
) -> None:
    made = report(tally(*[Decision("reject", reason="missing_key")] * 53, *[Decision("unchanged")] * 4972))
    reference = {"member_id": "M-00993", "mail": "jon@example.com"}

    ended = end(lambda: check_rejects(made, 0.01, "/data/r.jsonl", [example("missing_key", reference=reference)]))

    text = " ".join(line.strip() for line in lines())
    for words in ("53 of 5025", "max_rejects=0.01", "(50)", "53 missing_key", "row 17", "'M-00993'", "r.jsonl"):
        assert words in text
    assert "jon@" not in text
    assert "j***@example.com" in text
    for words in ("53", "max_rejects=0.01", "50", "log"):
        assert words in str(ended)


def test_without_a_file_the_log_says_how_to_get_one(lines: Callable[[], list[str]]) -> None:
    end(lambda: check_rejects(rejected("overlong"), 0, ""))

    assert any("rejects_path" in line for line in lines())


LONG = "The first thing went wrong. " + "Then a sentence with many words that go on and on. " * 20


@pytest.mark.parametrize(
    "error",
    [
        EnvokeConfigError(LONG),
        EnvokeQueryError(LONG, {"rows": 0}),
        EnvokeSyncError("a " * 300),
        EnvokeTransientError(LONG, status=503, retry_after=3.0),
        EnvokeRowsError("1 of 1 rows.\n  1 overlong, such as row 1: " + "word " * 300 + "\nCorrect it."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_neither_the_exception_nor_a_line_of_the_log_is_longer_than_airflow_shows(
    error: EnvokeError, lines: Callable[[], list[str]]
) -> None:
    ended = end(raising(error))

    assert len(str(ended)) <= WIDTH
    assert "See the log" in str(ended)
    assert max(map(len, lines())) <= WIDTH
    assert len(lines()) > 1
    assert (ended.__cause__, ended.__suppress_context__) == (None, True), "one traceback"
    assert ended.__context__ is error
    assert "\n" not in str(ended)


def test_an_exception_that_is_retried_keeps_its_class_and_all_it_carries() -> None:
    error = EnvokeTransientError(LONG, status=503, path="/v1/contacts", retry_after=3.0)

    ended = end(raising(error))

    assert type(ended) is EnvokeTransientError
    assert {**vars(ended)} == vars(error)
    assert str(error) == LONG, "the first exception is as it was"


def test_an_exception_that_ends_the_task_for_good_carries_the_report() -> None:
    assert vars(end(raising(EnvokePlanError(LONG, {"rows": 7}))))["report"] == {"rows": 7}


def test_a_short_message_is_the_exception_and_not_logged_as_well(lines: Callable[[], list[str]]) -> None:
    assert str(end(raising(EnvokeConfigError("sql is empty. Check its template.")))).startswith("sql is empty. Ch")
    assert lines() == []


def test_a_long_path_stays_whole(lines: Callable[[], list[str]]) -> None:
    path = "/data/" + "folder/" * 30 + "rejects.jsonl"

    end(lambda: check_rejects(rejected("overlong"), 0, path))

    assert any(path in line for line in lines())
