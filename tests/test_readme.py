"""README is correct: its Python blocks run, and its tables, links and names agree with the code."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.envoke.config import EXTRAS
from airflow_provider_envoke.hooks.envoke import EnvokeHook
from airflow_provider_envoke.operators._outcome import METRICS
from airflow_provider_envoke.operators._sync import BaseEnvokeSyncOperator
from airflow_provider_envoke.operators.envoke import EnvokeSyncContactsOperator, EnvokeUpdateContactOperator
from airflow_provider_envoke.sandbox.faults import FAULTS
from airflow_provider_envoke.sensors.envoke import EnvokeContactSensor
from airflow_provider_envoke.sync.guards import REASONS
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_envoke.sandbox.thread import Sandbox

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

#: What a block says instead of real credentials.
CREDENTIALS = 'login="API ID", password="API key"'


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n")[0][:40] for block in BLOCKS])
def test_every_python_block_runs(
    block: str,
    envoke_sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    if "airflow.providers.slack" in block:
        pytest.importorskip("airflow.providers.slack")
    envoke_sandbox.reset([{"id": 1001, "email": "jon@example.com", "remote_id": "436D-SF92", "city": "Laval"}])
    monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(envoke_sandbox.connection))
    account = {name: envoke_sandbox.connection[name] for name in ("login", "password", "host")}
    code = block.replace(CREDENTIALS, f"**{account!r}")
    names: dict[str, Any] = {}
    fixtures = {"envoke_sandbox": envoke_sandbox, "monkeypatch": monkeypatch, "tmp_path": tmp_path}

    exec(compile(code, "README.md", "exec"), names)
    tests = [names[name] for name in re.findall(r"^def (test_\w+)", block, re.MULTILINE)]
    for test in tests:
        test(**{name: fixtures[name] for name in inspect.signature(test).parameters})

    assert bool(tests) is ("def test_" in block)
    if "SyncRun" in block:
        assert "updated                              1" in capsys.readouterr().out
    if "EnvokeHook" in block:
        assert "Sandbox account 1" in capsys.readouterr().out
        assert len(envoke_sandbox.contacts) == 2


def section(heading: str) -> str:
    """Return the text below a heading, up to the next heading."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^##)", README, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def listed_in(heading: str) -> dict[str, tuple[str, str]]:
    """Return the arguments in the table below a heading: name -> default and description."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*?) \| (.*?) ?\|$", section(heading), re.MULTILINE)
    return {name: (default, description) for name, default, description in rows}


def arguments_of(*operators: type) -> dict[str, inspect.Parameter]:
    parameters = [inspect.signature(operator.__init__).parameters for operator in operators]  # type: ignore[misc]
    of_all = {name: parameter for each in parameters for name, parameter in each.items()}
    return {
        name: parameter for name, parameter in of_all.items() if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


@pytest.mark.parametrize(
    ("heading", "operators"),
    [
        ("One contact", [EnvokeUpdateContactOperator]),
        ("Waiting for contacts", [EnvokeContactSensor]),
        ("A whole table", [BaseEnvokeSyncOperator, SqlToEnvokeOperator, EnvokeSyncContactsOperator]),
    ],
)
def test_every_argument_is_listed_with_its_default_and_whether_it_is_templated(
    heading: str, operators: list[Any]
) -> None:
    listed, arguments = listed_in(heading), arguments_of(*operators)
    templated = {field for operator in operators for field in operator.template_fields}
    words = {inspect.Parameter.empty: "required", True: "on", False: "off", (): "none"}

    assert set(listed) == set(arguments)
    assert {name for name, (_, text) in listed.items() if "(templated)" in text} == templated & set(arguments)
    for name, parameter in arguments.items():
        if parameter.default is None:  # README describes what it means
            continue
        is_word = type(parameter.default) is not int  # 1 == True
        default = words.get(parameter.default, parameter.default) if is_word else parameter.default
        default = ", ".join(default) if isinstance(default, tuple) else default
        assert listed[name][0].replace('"', "").replace("`", "") == str(default), name


def test_every_method_of_the_hook_is_listed_with_its_arguments() -> None:
    shown = dict(re.findall(r"^\| `(\w+)\((.*?)\)` \|", section("The hook"), re.MULTILINE))
    methods = {name: method for name, method in vars(EnvokeHook).items() if inspect.isfunction(method)}
    public = {name: method for name, method in methods.items() if not name.startswith("_")}

    assert set(shown) == set(public)
    for name, method in public.items():
        parameters = list(inspect.signature(method).parameters.values())[1:]
        bare = inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in parameters])
        assert f"({shown[name]})" == str(bare), name


def test_there_are_blocks_to_run_and_the_lists_are_those_of_the_code() -> None:
    assert len(BLOCKS) >= 5
    assert sum(CREDENTIALS in block for block in BLOCKS) == 1
    shown = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|$", README, re.MULTILINE))
    faults = re.findall(r"^\| `(\w+)` \| ([^|]*) \| (yes|no) \|$", README, re.MULTILINE)
    examples = sorted(path.stem for path in (ROOT / "example_dags").glob("*.py"))

    assert {reason: shown.get(reason) for reason in REASONS} == REASONS
    assert dict(re.findall(r"^\| `(envoke\.[\w.*]+)` \| (.*?) \|$", README, re.MULTILINE)) == METRICS
    assert set(re.findall(r"^\| extra `(\w+)`", README, re.MULTILINE)) == set(EXTRAS)
    assert faults == [(each.name, each.description, "yes" if each.temporary else "no") for each in FAULTS.values()]
    assert sorted(re.findall(r"\(example_dags/(\w+)\.py\)", README)) == examples


def test_every_link_and_make_target_exists() -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    targets = set(re.findall(r"^\.PHONY: (\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert set(re.findall(r"^make (\w+)", README, re.MULTILINE)) <= targets


def test_every_picture_is_shown_and_small() -> None:
    shown = re.findall(r"!\[[^\]]+\]\((docs/images/[\w-]+\.png)\)", README)
    pictures = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "docs" / "images").iterdir()}
    assert sorted(shown) == sorted(pictures)
    for path in pictures.values():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 150_000


def test_the_request_arithmetic_adds_up() -> None:
    for contacts, requests in re.findall(r"^\| ([\d,]+) \| ([\d,]+) requests", README, re.MULTILINE):
        count = int(contacts.replace(",", ""))
        assert int(requests.replace(",", "")) == -(-count // 99) + count // 100
