"""Alerts with Airflow's own notifiers have the report, whether the task succeeds or fails."""

from __future__ import annotations

import itertools
import json
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator
from tests.support import ROOT
from tests.support.examples import ANA, INVALID, Shop
from tests.support.receivers import slack_webhook, smtp_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

_numbers = itertools.count()


@pytest.mark.parametrize(
    ("rows", "outcome", "words"),
    [
        ([ANA], "succeeded", ["updated 1", "rejected 0"]),
        ([ANA, INVALID], "failed", ["updated 1", "rejected 1", "invalid_email"]),
        ([], "failed", ["no report"]),
    ],
    ids=["succeeds", "rows are rejected", "fails before its run"],
)
def test_each_run_of_the_example_sends_one_email(
    rows: list[Any], outcome: str, words: list[str], shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A notifier keeps what it has rendered. In Airflow, each task runs in a process of its own.
    monkeypatch.delitem(sys.modules, "example_dags.envoke_alerts", raising=False)
    with smtp_server() as (port, emails):
        extra = json.dumps({"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.com"})
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        if not rows:
            monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps({"conn_type": "envoke", "host": "x y"}))
        run = shop.run("envoke_alerts", *(rows or [ANA]), to="team@example.com")

    (email,) = emails
    body = email.get_body().get_content()  # type: ignore[union-attr]
    assert run.state == ("success" if outcome == "succeeded" else "failed")
    assert (email["Subject"], email["To"]) == (f"envoke_alerts.sync {outcome}", "team@example.com")
    assert [word for word in words if word not in body] == []
    assert [value for value in (*ANA, *INVALID) if value and len(value) > 3 and value in body] == []


RECIPE = re.search(
    r"```python\n(?=[^`]*SlackWebhookNotifier)(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
)


@pytest.mark.parametrize("kind", ["succeeds", "rows are rejected", "fails before its run"])
def test_the_recipe_of_readme_posts_to_slack(
    kind: str, sandbox: Sandbox, run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("airflow.providers.slack")
    assert RECIPE
    names: dict[str, Any] = {}
    with slack_webhook() as (port, posts):
        connection = {"conn_type": "slackwebhook", "host": f"http://127.0.0.1:{port}", "password": "T0/B0/X"}
        monkeypatch.setenv("AIRFLOW_CONN_SLACK", json.dumps(connection))
        exec(compile(RECIPE[1], "README.md", "exec"), names)
        rows = [{"email": "new@example.com", "city": "Alma"}, *([{"email": "x"}] if "rejected" in kind else [])]
        arguments = {"on_missing": "maybe" if "before" in kind else "create"}
        with DAG(
            f"slack_{next(_numbers)}",
            schedule=None,
            start_date=datetime(2026, 1, 1, tzinfo=UTC),
            user_defined_macros=names["dag"].user_defined_macros,
        ) as dag:
            EnvokeSyncContactsOperator.partial(task_id="sync", **names["alerts"], **arguments).expand(rows=[rows])
        run = run_dag(dag)

    (post,) = posts
    assert run.state == ("success" if kind == "succeeds" else "failed")
    expected = {"succeeds": "created 1", "rows are rejected": "invalid_email", "fails before its run": "no report"}
    assert expected[kind] in post["text"]
    assert "**" not in post["text"], "Slack writes bold text with one asterisk"
    assert "@example.com" not in post["text"]
